"""Kernel settings of every namespace, so that the lab does not inherit the habits of the machine it runs on.

A new namespace copies IPv4 settings from the host's initial one (net.core.devconf_inherit_init_net = 0), which
may forward, filter by reverse path or rate-limit ICMP.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.elements import NamespacePlan

ROOT = "/proc/sys/net"

_FORWARDERS = {
    # Redirects are noise in captures, and pods of a node are meant to talk through it.
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    # Where br_netfilter is loaded, bridges would pass frames through the rules for routed packets; where it is
    # not, they cannot. Nothing here needs it, so nothing here may depend on it.
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
}
_OPTIONAL = ("ipv6", "bridge")
"""Directories that some kernels lack; there is nothing to set then."""


def sysctls_of(plan: NamespacePlan) -> Mapping[str, str]:
    """Return the settings of a namespace by path below /proc/sys/net, in the order in which they are written."""
    return _sysctls(plan.families, forwarding=plan.forwarding, strict_reverse_path=plan.strict_reverse_path)


@functools.cache
def _sysctls(families: frozenset[IPFamily], *, forwarding: bool, strict_reverse_path: bool) -> Mapping[str, str]:
    forward, reverse_path = "1" if forwarding else "0", "1" if strict_reverse_path else "0"
    settings = {
        "ipv4/ip_forward": forward,  # first: writing it resets other settings to their defaults
        "ipv4/conf/all/rp_filter": reverse_path,
        "ipv4/conf/default/rp_filter": reverse_path,
        "ipv4/icmp_ratemask": "0",  # no ICMP error is rate-limited: traceroute and PTB rows count them
        "ipv4/ping_group_range": "0 0",  # the lab's user namespace has group 0 only
    }
    if forwarding:
        settings |= _FORWARDERS
    if IPFamily.IPV6 not in families:
        return MappingProxyType(settings | {"ipv6/conf/all/disable_ipv6": "1"})
    quiet = {f"ipv6/conf/{scope}/{name}": "0" for scope in ("all", "default") for name in ("accept_ra", "accept_dad")}
    return MappingProxyType(settings | {"ipv6/conf/all/forwarding": forward, "ipv6/icmp/ratelimit": "0"} | quiet)


class SysctlWriter:
    """Writes settings in the calling thread's namespace, skipping those that every new namespace already has."""

    __slots__ = ("_inherited", "_missing")

    def __init__(self) -> None:
        self._inherited: dict[str, str] = {}
        self._missing: dict[int, tuple[Mapping[str, str], list[tuple[str, bytes]]]] = {}

    def write(self, settings: Mapping[str, str]) -> None:
        """Bring a *new* namespace to ``settings``."""
        known = self._missing.get(id(settings))
        if known is None:  # keeps settings, whose id stays theirs
            known = self._missing[id(settings)] = (settings, self._differences(settings))
        for path, value in known[1]:
            _write(path, value)

    def _differences(self, settings: Mapping[str, str]) -> list[tuple[str, bytes]]:
        differing = (path for path, value in settings.items() if self._initial(path) not in (value, None))
        return [(f"{ROOT}/{path}", settings[path].encode()) for path in differing]

    def _initial(self, path: str) -> str | None:
        """Return what a new namespace starts with; asked of the first one, the same for all."""
        if path not in self._inherited:
            directory = path.partition("/")[0]
            absent = directory in _OPTIONAL and not Path(ROOT, directory).exists()
            self._inherited[path] = "" if absent else " ".join(Path(ROOT, path).read_text().split())
        return self._inherited[path] or None


def _write(path: str, value: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value)
    finally:
        os.close(fd)
