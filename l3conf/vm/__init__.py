"""A command in a virtual machine with a distribution's kernel, over this machine's file system.

What a container host or a small kernel lacks (WireGuard, ESP, SCTP, netem) is exercised there as it is. ``machine`` and
``kernels`` decide and are pure; ``kernel_cache``, ``host`` and ``boot`` act. The machine itself is virtme-ng's and
QEMU's. No scenario knows of any of this: the suite runs inside as it does outside.
"""
