"""How packets are sent and seen: one engine, used by a lab's prober process and by the agent inside a pod.

``wire`` and ``messages`` are codecs without I/O, ``icmp_errors`` and ``packets`` know the formats of the RFCs,
``engine`` moves packets in many network namespaces at once, ``prober`` and ``agent`` put it into a process,
``workload`` makes a pod of it, ``manifests`` and ``node_state`` are what a real cluster needs.

Nothing here judges: whether an outcome is right is for expectations to say.
"""
