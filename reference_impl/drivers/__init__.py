"""The outside world in as few words as possible: kernel, nftables, echo socket; beside each a fake of equal rank.

Drivers know values (``reference_impl.state``), never planners or agents.
"""
