"""Where everything in a topology lives: the one place that derives an address from a position.

::

    WAN   .1 wan itself   .2 broker   .3 outsider   .10+i router of the i-th site
    LAN   .1 site router  .2 control plane  .3+k the router of the k-th other site behind this one  .10+n the n-th node
    pods  the n-th node gets the n-th slice of each pod CIDR (IPv4 /24, or what is left; IPv6 /64);
          .1 of a slice is the node's bridge, pods follow from .2

A node is counted by its number (``ClusterSpec.numbered_nodes``), which it keeps when others come and go.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from l3conf.model.topology import IPAddress, IPFamily, IPNetwork

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec, Topology

ROUTER_OFFSET = 1
CONTROL_PLANE_OFFSET = 2
FIRST_SHARER_OFFSET = 3
FIRST_NODE_OFFSET = 10
WAN_OFFSET = 1
BROKER_OFFSET = 2
OUTSIDER_OFFSET = 3
FIRST_SITE_OFFSET = 10
POD_SLICE_LENGTH = {IPFamily.IPV4: 24, IPFamily.IPV6: 64}


def host(network: IPNetwork, offset: int) -> IPAddress:
    """Return the address at ``offset`` in ``network``; ``ValueError`` if it lies outside."""
    if offset >> (network.max_prefixlen - network.prefixlen):
        raise ValueError(f"{network} has no room for host number {offset}")
    return network.network_address + offset


def wan_addresses(topology: Topology, offset: int) -> tuple[IPAddress, ...]:
    """Return the addresses at ``offset`` on the WAN, one per family of the WAN."""
    return tuple(host(cidr, offset) for cidr in topology.wan_cidrs)


def broker_address(topology: Topology) -> IPAddress:
    """Return where members find the broker: of a family that every site has, if the WAN has such a one."""
    addresses = wan_addresses(topology, BROKER_OFFSET)
    families = [{IPFamily.of(cidr) for cidr in cluster.node_cidrs} for cluster in topology.clusters]
    shared = (address for address in addresses if all(IPFamily.of(address) in lan for lan in families))
    return next(shared, addresses[0])


def site_router_offset(topology: Topology, cluster: ClusterSpec) -> int:
    """Return the offset of a cluster's site router on the WAN."""
    return FIRST_SITE_OFFSET + topology.clusters.index(cluster)


def node_addresses(cluster: ClusterSpec, number: int) -> tuple[IPAddress, ...]:
    """Return a node's underlay addresses on its LAN, one per family of the LAN."""
    return tuple(host(cidr, FIRST_NODE_OFFSET + number) for cidr in cluster.node_cidrs)


def place_addresses(topology: Topology, place: str) -> tuple[IPAddress, ...]:
    """Return the underlay addresses of a node's place (``east@east-1``) or of ``@outsider``."""
    cluster, _, node = place.partition("@")
    if not cluster:
        return wan_addresses(topology, OUTSIDER_OFFSET)
    spec = topology.cluster(cluster)
    return node_addresses(spec, spec.number_of(node))


def gateway_addresses(cluster: ClusterSpec) -> tuple[IPAddress, ...]:
    """Return the underlay addresses of all gateway nodes of a cluster."""
    numbers = (number for number, node in cluster.numbered_nodes if node.gateway)
    return tuple(address for number in numbers for address in node_addresses(cluster, number))


def pod_ranges(cluster: ClusterSpec, number: int) -> tuple[IPNetwork, ...]:
    """Return the slice of every pod CIDR that belongs to a node (Node ``spec.podCIDRs``).

    ``ValueError`` if a CIDR has no such slice.
    """
    return tuple(_slice(cidr, number, cluster.laid_out_for or len(cluster.nodes)) for cidr in cluster.pod_cidrs)


@functools.cache
def _slice(cidr: IPNetwork, number: int, count: int) -> IPNetwork:
    """Cut ``cidr`` for ``count`` nodes; smaller slices where the usual length would not give enough."""
    length = max(POD_SLICE_LENGTH[IPFamily.of(cidr)], cidr.prefixlen)
    while 2 ** (length - cidr.prefixlen) < count:
        length += 1
    if length > cidr.max_prefixlen - 3:
        raise ValueError(f"pod CIDR {cidr} is too small for {count} nodes")
    if number >= 2 ** (length - cidr.prefixlen):
        raise ValueError(f"pod CIDR {cidr} has no slice number {number}: it was divided for {count} nodes")
    step = 2 ** (cidr.max_prefixlen - length)
    return type(cidr)((int(cidr.network_address) + number * step, length))
