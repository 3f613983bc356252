"""The network under the clusters: sites on a WAN, routers, LANs, nodes and pods, out of namespaces and veths.

What is to exist is planned as data (``plan``, ``plugins``, ``sysctls``, ``faults``: pure) and then built
(``build``). Knows nodes and pods by key and uid only: no Kubernetes API here.
"""
