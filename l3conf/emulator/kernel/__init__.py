"""The kernel in as few words as possible: system calls, network namespaces, rtnetlink.

Nothing here knows a topology, a cluster or a pod; ``l3conf.emulator.fabric`` does.
"""
