"""What a topology file may say about sites beyond its schema: pure functions from its values to problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.model.addressing import FIRST_NODE_OFFSET, FIRST_SHARER_OFFSET
from l3conf.model.public_addresses import is_hidden, port_maps, public_cluster, sharers
from l3conf.model.site import ETHERNET_MTU, UDP_TIMEOUT, NATKind
from l3conf.model.topology import IPFamily
from l3conf.spec.problems import FieldPath, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.topology import ClusterSpec, Topology

MAX_SHARERS = FIRST_NODE_OFFSET - FIRST_SHARER_OFFSET
"""Their routers stand on the owner's LAN, below the first node."""


def site_problems(topology: Topology) -> list[Problem]:
    """Return what is wrong with the sites of a topology; of those that share first, for others lean on them."""
    wrong = [problem for base, cluster in _sites(topology) for problem in _sharing_problems(base, topology, cluster)]
    if wrong:
        return wrong
    return [
        problem
        for base, cluster in _sites(topology)
        for problem in (*_nat_problems(base, topology, cluster), *_port_map_problems(base, topology, cluster))
    ]


def _sites(topology: Topology) -> Iterator[tuple[FieldPath, ClusterSpec]]:
    for index, cluster in enumerate(topology.clusters):
        yield ("spec", "clusters", index, "site"), cluster


def _sharing_problems(base: FieldPath, topology: Topology, cluster: ClusterSpec) -> Iterator[Problem]:
    site, name = cluster.site, cluster.site.public_address_of
    if not name:
        return
    path = (*base, "publicAddressOf")
    owner = next((other for other in topology.clusters if other.name == name), None)
    if owner is None:
        known = ", ".join(other.name for other in topology.clusters if other is not cluster)
        yield Problem(path, f"there is no cluster {name!r}", f"use one of {known}")
    elif owner is cluster:
        yield Problem(path, f"{name!r} is this cluster itself", "remove the key: every site has an address by default")
    elif owner.site.public_address_of:
        yield Problem(path, f"{name!r} has no public address of its own", f"use {owner.site.public_address_of}")
    elif owner.site.nat is NATKind.NONE:
        yield Problem(path, f"the site of {name!r} does no NAT, so its address cannot be shared", "give it a nat")
    elif sharers(topology, owner).index(cluster) >= MAX_SHARERS:
        yield Problem(path, f"more than {MAX_SHARERS} sites share the address of {name!r}", "let some use another")
    for key, value, default in (
        ("nat", site.nat, NATKind.NONE),
        ("udpTimeoutSeconds", site.udp_timeout, UDP_TIMEOUT),
        ("wanMTU", site.wan_mtu, ETHERNET_MTU),
    ):
        if value != default:
            yield Problem((*base, key), f"is decided by {name!r}, whose router this site is behind", "say it there")


def _nat_problems(base: FieldPath, topology: Topology, cluster: ClusterSpec) -> Iterator[Problem]:
    site, hidden = cluster.site, is_hidden(topology, cluster)
    if hidden and IPFamily.IPV4 not in map(IPFamily.of, cluster.node_cidrs):
        yield Problem((*base, "nat"), "translates IPv4, but the LAN has none", "add an IPv4 range to nodeCIDRs")
    if hidden and IPFamily.IPV4 not in map(IPFamily.of, topology.wan_cidrs):
        yield Problem((*base, "nat"), "translates IPv4, but the WAN has none", "add an IPv4 range to wanCIDRs")
    if site.nat is NATKind.STATIC and not any(port_maps(topology, cluster)):
        yield Problem((*base, "nat"), "'static' needs portMaps", "add some, or use endpoint-independent")
    if not hidden and site.udp_timeout != UDP_TIMEOUT:
        yield Problem((*base, "udpTimeoutSeconds"), "there is no NAT to forget mappings", "choose a nat")


def _port_map_problems(base: FieldPath, topology: Topology, cluster: ClusterSpec) -> Iterator[Problem]:
    owner, maps = public_cluster(topology, cluster), cluster.site.port_maps
    if maps and owner.site.nat is not NATKind.STATIC:
        remedy = f"set nat: static for {owner.name}"
        yield Problem((*base, "portMaps"), "only a static NAT maps ports", remedy)
    taken = [port_map for _, port_map in port_maps(topology, owner)]
    nodes = [node.name for node in cluster.nodes]
    for index, port_map in enumerate(maps):
        item = (*base, "portMaps", index)
        if port_map.node not in nodes:
            yield Problem((*item, "node"), f"there is no node {port_map.node!r}", f"use one of {', '.join(nodes)}")
        before = taken[: next(position for position, each in enumerate(taken) if each is port_map)]
        if any(each.external == port_map.external for each in before):
            what = f"port {port_map.external} of this public address is mapped already"
            yield Problem((*item, "external"), what, "choose another port")
        if any((each.node, each.port) == (port_map.node, port_map.port) for each in maps[:index]):
            what = f"port {port_map.port} of {port_map.node} is mapped already, and can be seen as one port only"
            yield Problem((*item, "port"), what, "map every port once")
