"""The kubelet: turns the pods bound to a node into processes, and says truthfully how they fare.

Kernel work only through ``emulator.node_runtime.NodeGround``; no netlink and no namespaces here.
"""
