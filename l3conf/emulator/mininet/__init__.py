"""The fabric out of Mininet: hosts for nodes and routers, switches for LANs and the WAN, and Mininet's links.

The only package of the emulator that imports Mininet. What a network consists of is the fabric's plan; here is only how
Mininet is told of it. No addresses, routes, faults or pods but at the prompt, where there is no fabric to make them.
"""
