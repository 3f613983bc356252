"""An embedded Kubernetes API server: one per emulated cluster and one for the broker, all in one event loop.

The store and everything that decides (validation, RBAC, selectors, printing) is synchronous and knows no HTTP;
``http`` carries it to clients outside, ``local_api`` to controllers inside the same process. Nothing here knows
nodes, network namespaces or packets: ``pods/log`` and ``pods/exec`` go through ``emulator.pod_access``.
"""
