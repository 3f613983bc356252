"""Clusters of kind as the suite knows clusters: nodes named and numbered as docker and kind made them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.labs.existing.waiting import is_ready
from l3conf.labs.kind.networks import same_host
from l3conf.model.addressing import FIRST_NODE_OFFSET, broker_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import ClusterSpec, IPAddress, IPNetwork, Topology

API_PORT = 6443
"""Of API servers in kind's own networks (kind, common.APIServerInternalPort)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member's cluster as it stands."""

    spec: ClusterSpec
    addresses: Mapping[str, tuple[IPAddress, ...]]
    """InternalIPs by node; likewise below."""
    slices: Mapping[str, tuple[IPNetwork, ...]]
    version: str = ""
    kernels: tuple[str, ...] = ()


def not_ready(nodes: Sequence[Mapping[str, Any]], expected: Sequence[str]) -> list[str]:
    """Return the nodes that are expected and not Ready yet."""
    there = {node["metadata"]["name"] for node in nodes if is_ready(node)}
    return [name for name in expected if name not in there]


def as_made(cluster: ClusterSpec, names: Names, nodes: Sequence[Mapping[str, Any]], version: str) -> Member:
    """Return a cluster of a file with its nodes as they were made, from their Node objects.

    ``LabError`` if one is missing, or has addresses from which no number follows.
    """
    objects = {node["metadata"]["name"]: node for node in nodes}
    called = {node.name: names.node(cluster.name, place) for place, node in enumerate(cluster.nodes)}
    missing = [name for name in called.values() if name not in objects]
    if missing:
        raise LabError(f"kind made no node {', '.join(missing)}", where=cluster.name)
    addresses = {name: _internal(objects[name]) for name in called.values()}
    numbers = {name: _number(name, found, cluster) for name, found in addresses.items()}
    made = [replace(node, name=called[node.name], number=numbers[called[node.name]]) for node in cluster.nodes]
    maps = tuple(replace(each, node=called[each.node]) for each in cluster.site.port_maps)
    spec = replace(
        cluster,
        nodes=tuple(sorted(made, key=lambda node: node.number or 0)),
        site=replace(cluster.site, port_maps=maps),
        laid_out_for=len(made),
    )
    infos = [(objects[name].get("status") or {}).get("nodeInfo") or {} for name in called.values()]
    return Member(
        spec=spec,
        addresses=addresses,
        slices={name: slices_of(objects[name]) for name in called.values()},
        version=version,
        kernels=tuple(sorted({str(info.get("kernelVersion", "")) for info in infos} - {""})),
    )


def member_server(nodes: Sequence[Mapping[str, Any]], topology: Topology) -> str:
    """Return where members reach the broker, from the Node objects of its cluster.

    ``LabError`` if docker gave it another address than the topology does: captures and faults would look elsewhere.
    """
    have = {address for node in nodes for address in _internal(node)}
    wanted = broker_address(topology)
    if wanted not in have:
        found = ", ".join(map(str, sorted(map(str, have)))) or "no address"
        raise LabError(f"the broker's node has {found}, and is to have {wanted}", where="broker")
    return f"https://[{wanted}]:{API_PORT}" if wanted.version == 6 else f"https://{wanted}:{API_PORT}"  # noqa: PLR2004


def slices_of(node: Mapping[str, Any]) -> tuple[IPNetwork, ...]:
    """Return the pod ranges of a Node object; none where the network plugin has an IPAM of its own."""
    return tuple(ip_network(cidr) for cidr in (node.get("spec") or {}).get("podCIDRs") or ())


def _internal(node: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    listed = (node.get("status") or {}).get("addresses") or []
    return tuple(ip_address(one["address"]) for one in listed if one.get("type") == "InternalIP")


def _number(name: str, addresses: Sequence[IPAddress], cluster: ClusterSpec) -> int:
    offset = same_host(addresses, cluster.node_cidrs)
    if offset is None:
        have, lans = ", ".join(map(str, addresses)) or "none", ", ".join(map(str, cluster.node_cidrs))
        raise LabError(
            f"the addresses of {name} are {have}: not one machine's in {lans}",
            where=cluster.name,
            remedy="docker gave two nodes that began at once different places in each family: begin again",
        )
    return offset - FIRST_NODE_OFFSET
