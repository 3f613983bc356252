"""Control loops of a cluster: each observes through one cache, plans with pure functions, writes through the API.

No kernel, no sockets, no polling here. What a loop decides is a function from values to values in its module;
``manager`` wires them to one work queue each.
"""
