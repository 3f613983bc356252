"""For which of the scenarios' topologies a set of clusters can stand. Pure.

A topology file says what a scenario rests on: so many clusters, families, nodes off the gateways, ranges that overlap
or do not, NATs, network plugins. Clusters that exist are what they are; where they differ in what a file makes a point
of, its scenarios prove nothing there, and are ``untestable`` with the difference as reason.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from itertools import combinations
from typing import TYPE_CHECKING

from l3conf.errors import LabIncapableError
from l3conf.model.site import SiteSpec
from l3conf.model.topology import ClusterSpec, IPFamily, NetworkPlugin, Topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.labs.existing.found import FoundCluster
    from l3conf.model.topology import IPAddress, IPNetwork


def stand_for(wanted: Topology, found: Sequence[FoundCluster], *, installed: bool) -> Topology:
    """Return the topology of a file with the clusters that were found in place of its own.

    Clusters bear the names that the caller gave them, else those of the file, by order; ``installed`` ones that were
    not named bear those of their contexts, which are then the members' ids. ``LabIncapableError`` says how they differ.
    """
    for difference in _differences(wanted, found, installed=installed):
        raise LabIncapableError(f"these clusters cannot stand for the topology {wanted.name}: {difference}")
    pairs = zip(wanted.clusters, found, strict=True)
    return replace(wanted, clusters=tuple(_cluster(spec, one, installed=installed) for spec, one in pairs))


def _cluster(spec: ClusterSpec, found: FoundCluster, *, installed: bool) -> ClusterSpec:
    """Return a found cluster with the families that the file's has; an address of each node is a range of its own."""
    families = spec.families
    unnamed = found.context if installed else spec.name
    return ClusterSpec(
        name=found.name or unnamed,
        pod_cidrs=_of(families, found.pod_cidrs),
        service_cidrs=_of(families, found.service_cidrs),
        node_cidrs=tuple(_alone(one) for node in found.nodes for one in found.node_addresses.get(node.name, ())),
        nodes=found.nodes,
        plugin=spec.plugin,
        site=spec.site,
        cable_drivers=spec.cable_drivers,
        laid_out_for=len(found.nodes),
    )


def _differences(wanted: Topology, found: Sequence[FoundCluster], *, installed: bool) -> Iterator[str]:
    """Yield what the file makes a point of and the clusters do not have."""
    if len(wanted.clusters) != len(found):
        yield f"it has {len(wanted.clusters)} clusters, and {len(found)} are given"
        return
    for spec, one in zip(wanted.clusters, found, strict=True):
        for difference in _differences_of(spec, one, installed=installed):
            yield f"{one.context} as {spec.name}: {difference}"
    for left, right in combinations(range(len(found)), 2):
        asked = _relation(_ranges(wanted.clusters[left]), _ranges(wanted.clusters[right]))
        is_ = _relation(_found_ranges(wanted, found, left), _found_ranges(wanted, found, right))
        if asked != is_:
            names = f"{found[left].context} and {found[right].context}"
            yield f"ranges of {names} are {is_}, and are to be {asked}"


def _differences_of(spec: ClusterSpec, found: FoundCluster, *, installed: bool) -> Iterator[str]:
    missing = [family.value for family in spec.families if family not in found.families]
    if missing:
        yield f"its pods have no {' and no '.join(missing)} addresses"
    gateways = sum(node.gateway for node in found.nodes)
    if gateways < len(spec.gateway_nodes):
        yield f"it has {gateways} gateway nodes of {len(spec.gateway_nodes)}"
    if spec.worker_nodes and gateways == len(found.nodes):
        yield "it has no node off the gateways"
    if spec.site != SiteSpec():
        yield "what stands between it and the others (NAT, filters, MTU) cannot be known"
    if spec.plugin is not NetworkPlugin.BRIDGE:
        yield f"whether its network plugin does as {spec.plugin.value} is not known"
    if spec.is_translated:
        yield "global addresses are asked for on grounds of the suite's own only"
    if any(node.annotations for node in spec.nodes):
        yield "its nodes' annotations are its operator's"
    if spec.cable_drivers and installed:
        yield "its cable drivers were chosen when the implementation was installed"


def _ranges(cluster: ClusterSpec) -> list[IPNetwork]:
    return [*cluster.pod_cidrs, *cluster.service_cidrs]


def _found_ranges(wanted: Topology, found: Sequence[FoundCluster], place: int) -> list[IPNetwork]:
    families = wanted.clusters[place].families
    return [*_of(families, found[place].pod_cidrs), *_of(families, found[place].service_cidrs)]


def _relation(left: Sequence[IPNetwork], right: Sequence[IPNetwork]) -> str:
    """Say how the ranges of two clusters lie to one another: that decides what an implementation has to do."""
    if set(left) == set(right):
        return "identical"
    meet = any(a.version == b.version and a.overlaps(b) for a in left for b in right)
    return "partly the same" if meet else "apart"


def _of(families: Sequence[IPFamily], cidrs: Sequence[IPNetwork]) -> tuple[IPNetwork, ...]:
    return tuple(cidr for family in families for cidr in cidrs if IPFamily.of(cidr) is family)


def _alone(address: IPAddress) -> IPNetwork:
    """Return an address as a prefix: nothing is known of the network around it."""
    return ip_network(address)
