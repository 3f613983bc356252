"""What the rules of both agents are made of."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.state import AddressSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import IPAddress, IPNetwork

FAMILY = {4: "ip", 6: "ip6"}
PROTOCOL = {4: "ipv4", 6: "ipv6"}
"""Words of nft, by IP version."""

_FEW = 4
"""Prefixes up to which they are compared: two, instead of a look into a set, save 50 ns a packet (ADR 55)."""


def sources_in(name: str, version: int, prefixes: Iterable[IPNetwork]) -> tuple[str, ...]:
    """Return matches, one a rule, of packets from any of the prefixes, which the set ``<name>_v<version>`` holds.

    For what every packet of a node is asked. Few prefixes are compared one by one.
    """
    ip = FAMILY[version]
    if mine := _few(version, prefixes):
        return tuple(f"{ip} saddr {prefix}" for prefix in mine)
    return (f"{ip} saddr @{name}_v{version}",)


def not_in(end: str, name: str, version: int, prefixes: Iterable[IPNetwork]) -> str:
    """Return the match of packets whose ``end`` (saddr, daddr) none of the prefixes holds, likewise.

    Few prefixes are compared one by one: the first that holds it ends the comparison.
    """
    ip = FAMILY[version]
    if mine := _few(version, prefixes):
        return " ".join(f"{ip} {end} != {prefix}" for prefix in mine)
    return f"{ip} {end} != @{name}_v{version}"


def _few(version: int, prefixes: Iterable[IPNetwork]) -> list[str]:
    """Return the prefixes of a version if they are few enough to be compared; nothing if there are none, or more."""
    mine = sorted(str(prefix) for prefix in prefixes if prefix.version == version)
    return mine if len(mine) <= _FEW else []


def only_from(name: str, hosts: Iterable[IPAddress]) -> tuple[str, ...]:
    """Take outer packets from known hosts only; a family without hosts is closed altogether.

    What another host is to get is none of our business: only what is for this one, its broadcasts included.
    """
    present = {host.version for host in hosts}
    return tuple(
        f"{FAMILY[version]} saddr != @{name}_v{version} fib daddr type != unicast counter drop"
        if version in present
        else f"meta nfproto {PROTOCOL[version]} fib daddr type != unicast counter drop"
        for version in (4, 6)
    )


def versions_of(*groups: Iterable[IPNetwork]) -> tuple[int, ...]:
    """Return the IP versions of prefixes."""
    return tuple(sorted({prefix.version for group in groups for prefix in group}))


def prefix_sets(name: str, prefixes: Iterable[IPNetwork], versions: Iterable[int]) -> tuple[AddressSet, ...]:
    """Return a set a version, ``<name>_v4`` and ``<name>_v6``; also where there is nothing to hold."""
    listed = list(prefixes)
    return tuple(
        AddressSet(
            name=f"{name}_v{version}",
            version=version,
            prefixes=frozenset(prefix for prefix in listed if prefix.version == version),
        )
        for version in versions
    )


def host_sets(name: str, hosts: Iterable[IPAddress]) -> tuple[AddressSet, ...]:
    """Return the sets of single addresses, for the versions that these have."""
    prefixes = [ip_network(host) for host in hosts]
    return prefix_sets(name, prefixes, versions_of(prefixes))
