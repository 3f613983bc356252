"""What docker and kind cannot make of a topology file. Pure.

Scenarios on a topology that cannot be had are ``untestable``, with the difference as reason: a ground that is only
nearly what the file says proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import LabIncapableError
from l3conf.labs.kind.networks import RANGE_SIZE, has_room
from l3conf.model.topology import IPFamily, NetworkPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.labs.kind.settings import KindSettings
    from l3conf.model.topology import ClusterSpec, Topology

_SLICE = {4: 24, 6: 64}
"""Lengths of nodes' slices of pod ranges that kube-controller-manager cuts, unless it is told otherwise."""


def check_standing(topology: Topology, settings: KindSettings) -> None:
    """Refuse a topology that cannot be built; ``LabIncapableError`` says why."""
    for difference in _differences(topology, settings):
        raise LabIncapableError(f"the kind lab cannot be the topology {topology.name}: {difference}")


def can_stand(topology: Topology, settings: KindSettings) -> bool:
    """Say whether a topology can be built."""
    return next(_differences(topology, settings), None) is None


def _differences(topology: Topology, settings: KindSettings) -> Iterator[str]:
    for cidr in topology.wan_cidrs:
        if not has_room(cidr):
            yield f"the WAN {cidr} is too small"
    for cluster in topology.clusters:
        for difference in _differences_of(cluster, settings):
            yield f"{cluster.name}: {difference}"


def _differences_of(cluster: ClusterSpec, settings: KindSettings) -> Iterator[str]:
    if cluster.site.filter_sources:
        yield "a LAN that drops foreign sources takes rules on the engine's own bridge, which are not a lab's to make"
    if cluster.plugin not in {NetworkPlugin.BRIDGE, settings.plugin.stands_for}:
        yield f"{settings.cni} does not do as the plugin {cluster.plugin.value} does (--cni)"
    underlay = {IPFamily.of(cidr) for cidr in cluster.node_cidrs}
    if underlay != {*cluster.families}:
        yield "nodes of kind have addresses of their pods' families, all of these and no other"
    if cluster.families[0] is IPFamily.IPV6 and len(cluster.families) > 1:
        yield "clusters of kind with both families have IPv4 first"
    yield from _lans_that_do_not_fit(cluster)
    yield from _pod_ranges_that_do_not_fit(cluster)


def _lans_that_do_not_fit(cluster: ClusterSpec) -> Iterator[str]:
    if len(cluster.nodes) + 1 > RANGE_SIZE:
        yield f"a LAN has room for {RANGE_SIZE} nodes"
    for cidr in cluster.node_cidrs:
        if not has_room(cidr):
            yield f"the LAN {cidr} is too small"


def _pod_ranges_that_do_not_fit(cluster: ClusterSpec) -> Iterator[str]:
    for cidr in cluster.pod_cidrs:
        slices = 2 ** max(0, _SLICE[cidr.version] - cidr.prefixlen)
        if cidr.prefixlen > _SLICE[cidr.version] or slices < len(cluster.nodes) + 1:
            yield f"the pod range {cidr} is cut into slices of /{_SLICE[cidr.version]}, one a node"
        if any(lan.version == cidr.version and lan.overlaps(cidr) for lan in cluster.node_cidrs):
            yield "its LAN lies in its pod range, which Kubernetes would hand out to pods"
