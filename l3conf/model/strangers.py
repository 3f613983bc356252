"""Addresses that no cluster of a set owns, near to those that one does and far from them. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from l3conf.model.addressing import OUTSIDER_OFFSET, host, wan_addresses
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.topology import IPAddress, IPNetwork, Topology

_OFFSET = 10
_FAR = {IPFamily.IPV4: ip_address("198.51.100.9"), IPFamily.IPV6: ip_address("2001:db8:ffff::9")}
"""In ranges for documentation (RFC 5737, RFC 3849)."""


def unowned_addresses(topology: Topology, family: IPFamily) -> list[IPAddress]:
    """Return the outsider's address, one far away, and one beside each range of pods and Services.

    The neighbour of a range is what it forms a shorter prefix with: who rounds prefixes takes it in.
    """
    outsider = [each for each in wan_addresses(topology, OUTSIDER_OFFSET) if IPFamily.of(each) is family]
    ranges = [
        cidr
        for cluster in topology.clusters
        for cidr in (*cluster.pod_cidrs, *cluster.service_cidrs)
        if IPFamily.of(cidr) is family
    ]
    beside = [host(neighbour, _OFFSET) for cidr in ranges for neighbour in _unowned_neighbour(topology, cidr)]
    return [*outsider, _FAR[family], *beside]


def _unowned_neighbour(topology: Topology, cidr: IPNetwork) -> Iterator[IPNetwork]:
    """Yield the other half of the prefix that is one bit shorter, unless somebody owns a part of it."""
    size = cidr.num_addresses
    neighbour = type(cidr)((int(cidr.network_address) ^ size, cidr.prefixlen))
    owned = [
        *topology.wan_cidrs,
        *(each for one in topology.clusters for each in (*one.pod_cidrs, *one.service_cidrs, *one.node_cidrs)),
    ]
    if not any(each.version == neighbour.version and each.overlaps(neighbour) for each in owned):
        yield neighbour
