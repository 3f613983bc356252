"""Topologies for tests of the fabric."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from typing import TYPE_CHECKING

from l3conf.model.topology import ClusterSpec, IPFamily, NetworkPlugin, NodeSpec, Topology

if TYPE_CHECKING:
    from l3conf.model.topology import IPNetwork


def cluster(
    number: int, name: str, *, nodes: int = 2, dual: bool = False, plugin: NetworkPlugin = NetworkPlugin.BRIDGE
) -> ClusterSpec:
    """Return a cluster with ranges of its own, by number."""
    six = (ip_network(f"fd00:{number}::/48"),) if dual else ()
    lan6 = (ip_network(f"fd01:{number}::/64"),) if dual else ()
    return ClusterSpec(
        name=name,
        pod_cidrs=(ip_network(f"10.{number}.0.0/16"), *six),
        service_cidrs=(ip_network(f"10.{100 + number}.0.0/16"),),
        node_cidrs=(ip_network(f"172.16.{number}.0/24"), *lan6),
        nodes=tuple(NodeSpec(name=f"{name}-{index + 1}", gateway=index == 0) for index in range(nodes)),
        plugin=plugin,
    )


def pair(*, nodes: int = 2, dual: bool = False, plugin: NetworkPlugin = NetworkPlugin.BRIDGE) -> Topology:
    """Return two clusters, ``east`` and ``west``."""
    wan = (ip_network("192.0.2.0/24"), *((ip_network("2001:db8::/64"),) if dual else ()))
    east, west = (
        cluster(number, name, nodes=nodes, dual=dual, plugin=plugin) for number, name in enumerate(("east", "west"), 1)
    )
    return Topology(name="pair", clusters=(east, west), wan_cidrs=wan)


def six_only(plugin: NetworkPlugin) -> Topology:
    """Return two clusters without IPv4."""
    both = pair(dual=True, plugin=plugin)
    clusters = (
        dataclasses.replace(
            spec,
            pod_cidrs=spec.pod_cidrs[1:],
            service_cidrs=(ip_network(f"fd02:{number}::/112"),),
            node_cidrs=spec.node_cidrs[1:],
        )
        for number, spec in enumerate(both.clusters, 1)
    )
    return Topology(name="six", clusters=tuple(clusters), wan_cidrs=both.wan_cidrs[1:])


def one_inside_the_other(*, lan_family: IPFamily) -> Topology:
    """Return two clusters with pods of both families on an overlay, and a LAN and a WAN of one."""
    both = pair(dual=True, plugin=NetworkPlugin.OVERLAY)
    clusters = (dataclasses.replace(spec, node_cidrs=_only(lan_family, spec.node_cidrs)) for spec in both.clusters)
    return Topology(name="inside", clusters=tuple(clusters), wan_cidrs=_only(lan_family, both.wan_cidrs))


def _only(family: IPFamily, cidrs: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    return tuple(cidr for cidr in cidrs if IPFamily.of(cidr) is family)
