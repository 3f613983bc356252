"""Which public address a site is behind, and who shares it: pure functions on topologies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.model.site import NATKind
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.site import PortMap
    from l3conf.model.topology import ClusterSpec, IPNetwork, Topology


def public_cluster(topology: Topology, cluster: ClusterSpec) -> ClusterSpec:
    """Return the cluster whose site router holds this cluster's public address: itself, or the one it shares with."""
    owner = cluster.site.public_address_of
    return topology.cluster(owner) if owner else cluster


def is_hidden(topology: Topology, cluster: ClusterSpec) -> bool:
    """Say whether the site's IPv4 LAN is behind NAT, so that the WAN has no route to it."""
    return public_cluster(topology, cluster).site.nat is not NATKind.NONE


def without_reachable_pods(topology: Topology, family: IPFamily) -> frozenset[str]:
    """Return the clusters with pods that nobody outside can begin a flow to: a NAT hides them, or others of theirs.

    Where pod ranges overlap, the WAN leads to the first site that has them.
    """
    names = {each.name for each in topology.clusters if family is IPFamily.IPV4 and is_hidden(topology, each)}
    claimed: list[IPNetwork] = []
    for cluster in topology.clusters:
        own = [cidr for cidr in cluster.pod_cidrs if IPFamily.of(cidr) is family]
        if any(cidr.overlaps(other) for cidr in own for other in claimed):
            names.add(cluster.name)
        claimed += own
    return frozenset(names)


def sharers(topology: Topology, owner: ClusterSpec) -> tuple[ClusterSpec, ...]:
    """Return the other clusters behind a cluster's public address, in the order of the file."""
    return tuple(cluster for cluster in topology.clusters if cluster.site.public_address_of == owner.name)


def port_maps(topology: Topology, owner: ClusterSpec) -> Iterator[tuple[ClusterSpec, PortMap]]:
    """Yield the static port maps of a public address, each with the cluster it leads to."""
    for cluster in (owner, *sharers(topology, owner)):
        for port_map in cluster.site.port_maps:
            yield cluster, port_map
