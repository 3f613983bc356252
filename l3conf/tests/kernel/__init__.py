"""System calls, namespaces and netlink against the real kernel, in a sandbox."""
