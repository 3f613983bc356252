"""What the kernel adds to a node by itself when a module is loaded, on demand or by anybody on the machine. Pure.

All nodes of a lab share their machine's kernel, and a module makes itself known in every network namespace at once.
Nobody can take that back short of unloading the module, so it is no leftover of whoever was there meanwhile.
"""

from __future__ import annotations

import re

_FALLBACK_DEVICES = "tunl0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|sit0|ip6tnl0|ip6gre0"
"""What tunnel modules make in every namespace (``net.core.fb_tunnels_only_for_init_net``); they cannot be deleted."""
_FALLBACK_LINK = re.compile(rf"link/(?:{_FALLBACK_DEVICES})/(?P<attribute>\w+)")
_FALLBACK_SYSCTL = re.compile(rf"sysctl/net\.\w+\.(?:conf|neigh)\.(?:{_FALLBACK_DEVICES})\.")
_DEVICE_SYSCTL = re.compile(r"sysctl/net\.\w+\.(?:conf|neigh)\.")
_LOGGER_SYSCTL = re.compile(r"sysctl/net\.netfilter\.nf_log\.\d+")
_LOGGER = re.compile(r"nf_log_\w+")
"""Loggers of nf_log_syslog, which it binds when it is loaded."""
_BUILT_IN_CHAIN = re.compile(r"iptables/\w+/\w+/:(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) ACCEPT")
"""Chains of a legacy table, there from the first look at it on."""


def is_made_by_kernel(path: str, before: str | None, after: str | None) -> bool:
    """Say whether the kernel alone may have made a difference (``Difference``) of two states of a node.

    A sysctl that is no device's appears with its module only; with which value it did is not known. A fallback device
    counts as long as it is down and belongs to nothing: whoever set it up or gave it an address has left that behind.
    """
    if _LOGGER_SYSCTL.fullmatch(path) and before == "NONE" and after is not None:
        return _LOGGER.fullmatch(after) is not None
    if before is not None or after is None:
        return False
    if link := _FALLBACK_LINK.fullmatch(path):
        return _is_untouched(link["attribute"], after)
    if path.startswith("sysctl/"):
        return _FALLBACK_SYSCTL.match(path) is not None or _DEVICE_SYSCTL.match(path) is None
    return _BUILT_IN_CHAIN.fullmatch(path) is not None


def _is_untouched(attribute: str, value: str) -> bool:
    if attribute == "flags":
        return "UP" not in value.split()
    return attribute not in {"master", "xdp"} or not value
