"""Nodes that come and go: from one topology to the next. Pure.

Whoever stays keeps number, addresses and pod slice. A node that comes has the next number that nobody had, so that
nothing left of a departed one can be taken for it; one that comes back under its name has the number it had.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from l3conf.errors import UserError
from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.topology import NodeSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import ClusterSpec, Topology

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123."""


def cluster_of(topology: Topology, name: str) -> ClusterSpec:
    """Return a cluster; ``UserError`` names those that there are."""
    for cluster in topology.clusters:
        if cluster.name == name:
            return cluster
    known = ", ".join(cluster.name for cluster in topology.clusters)
    raise UserError(f"there is no cluster {name!r}", remedy=f"choose one of {known}")


def with_node(topology: Topology, cluster: str, node: NodeSpec, *, departed: Mapping[str, int]) -> Topology:
    """Return a topology in which a cluster has one node more, with a number, and a name if it had none.

    ``departed``: the numbers of that cluster's nodes that have gone, by name. A name that is missing becomes
    ``<cluster>-<number + 1>``, as topology files have it. ``UserError`` if the name is taken or no label, or if a
    range of the cluster has no place for one more.
    """
    before = cluster_of(topology, cluster)
    taken = [number for number, _ in before.numbered_nodes]
    number = departed.get(node.name, max([-1, *taken, *departed.values()]) + 1)
    name = node.name or f"{cluster}-{number + 1}"
    _check_name(before, name)
    nodes = sorted((*_numbered(before), replace(node, name=name, number=number)), key=lambda one: one.number or 0)
    after = replace(before, nodes=tuple(nodes), laid_out_for=_laid_out_for(before))
    _check_room(after, number)
    return _changed(topology, after)


def without_node(topology: Topology, cluster: str, name: str) -> Topology:
    """Return a topology in which a cluster has lost a node.

    ``UserError`` if there is no such node, if it is the last one, or if a port of the site's address is mapped to it.
    """
    before = cluster_of(topology, cluster)
    spec_of(before, name)
    where = f"{cluster}@{name}"
    if len(before.nodes) == 1:
        raise UserError("a cluster cannot lose its last node", where=where, remedy="add another one first")
    if any(port_map.node == name for port_map in before.site.port_maps):
        what = "the static map of the site's NAT leads to this node"
        raise UserError(what, where=where, remedy="choose another node, or a site without portMaps")
    left = tuple(node for node in _numbered(before) if node.name != name)
    return _changed(topology, replace(before, nodes=left, laid_out_for=_laid_out_for(before)))


def spec_of(cluster: ClusterSpec, name: str) -> NodeSpec:
    """Return a node of a cluster; ``UserError`` names those that there are."""
    for node in cluster.nodes:
        if node.name == name:
            return node
    known = ", ".join(node.name for node in cluster.nodes)
    raise UserError(f"cluster {cluster.name} has no node {name!r}", remedy=f"choose one of {known}")


def nodes_to_json(topology: Topology) -> dict[str, Any]:
    """Return the nodes of all clusters as JSON data."""
    return {
        cluster.name: {
            "laidOutFor": _laid_out_for(cluster),
            "nodes": [
                {"name": node.name, "number": number, "gateway": node.gateway}
                for number, node in cluster.numbered_nodes
            ],
        }
        for cluster in topology.clusters
    }


def with_nodes_of(topology: Topology, data: Mapping[str, Any]) -> Topology:
    """Return a topology with the nodes that ``nodes_to_json`` wrote of another one of the same clusters.

    What is known of a node beyond that stays known.
    """
    return replace(topology, clusters=tuple(_as_told(each, data[each.name]) for each in topology.clusters))


def _as_told(cluster: ClusterSpec, data: Mapping[str, Any]) -> ClusterSpec:
    known = {node.name: node for node in cluster.nodes}
    nodes = tuple(
        replace(known.get(told["name"], NodeSpec(name=told["name"])), number=told["number"], gateway=told["gateway"])
        for told in data["nodes"]
    )
    return replace(cluster, nodes=nodes, laid_out_for=data["laidOutFor"])


def _numbered(cluster: ClusterSpec) -> tuple[NodeSpec, ...]:
    return tuple(replace(node, number=number) for number, node in cluster.numbered_nodes)


def _laid_out_for(cluster: ClusterSpec) -> int:
    return cluster.laid_out_for or len(cluster.nodes)


def _check_name(cluster: ClusterSpec, name: str) -> None:
    if not _LABEL.fullmatch(name):
        raise UserError(f"{name!r} is no name for a node", remedy="use an RFC 1123 label: a-z, 0-9 and dashes")
    if any(node.name == name for node in cluster.nodes):
        raise UserError(f"cluster {cluster.name} has a node {name} already", remedy="choose another name, or none")


def _check_room(cluster: ClusterSpec, number: int) -> None:
    """Refuse a node that has no place on the LAN or in a pod range, or whose pods would have addresses of the LAN."""
    try:
        own, slices = node_addresses(cluster, number), pod_ranges(cluster, number)
    except ValueError as error:
        raise UserError(str(error), where=cluster.name, remedy="use a topology with larger ranges") from None
    for address, cidr in zip(own, cluster.node_cidrs, strict=True):
        if address == cidr[-1]:
            what = f"the LAN {cidr} has no address left"
            raise UserError(what, where=cluster.name, remedy="use a topology with a larger LAN")
    for piece in slices:
        if any(piece.version == cidr.version and piece.overlaps(cidr) for cidr in cluster.node_cidrs):
            what = f"{piece}, where its pods would be, overlaps the LAN"
            raise UserError(what, where=cluster.name, remedy="use a topology whose LAN is beyond the nodes' slices")


def _changed(topology: Topology, cluster: ClusterSpec) -> Topology:
    clusters = tuple(cluster if each.name == cluster.name else each for each in topology.clusters)
    return replace(topology, clusters=clusters)
