"""Topology → fabric: which namespaces there are, how they are cabled, addressed and routed. Pure.

::

    wan ═══ bridge wan (.1) ═╦══════════╦════════════╦═════════════
                             broker   @outsider   router:<cluster> ═══ bridge lan (.1) ═╦═══════════════╦════
                                                                      control-plane:<cluster>   <cluster>@<node>

The WAN itself routes between sites' LANs only: a pod address that leaves a site unhidden gets ICMP network
unreachable from .1. Only the outsider knows a way to pod ranges, through the site's router.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric import faults
from l3conf.emulator.fabric.elements import (
    BRIDGE,
    EVERYTHING,
    FIRST_PORT,
    UPLINK,
    Address,
    Bridge,
    Cable,
    FabricPlan,
    NamespacePlan,
    Route,
    default_route,
    mac_of,
    on_link,
)
from l3conf.emulator.fabric.plugins.lan import routes_to_pods
from l3conf.emulator.fabric.plugins.registry import PLUGINS
from l3conf.emulator.fabric.site_filters import wan_refusal
from l3conf.emulator.fabric.sites import with_sites
from l3conf.errors import InvalidFileError
from l3conf.model.addressing import (
    BROKER_OFFSET,
    CONTROL_PLANE_OFFSET,
    FIRST_NODE_OFFSET,
    OUTSIDER_OFFSET,
    ROUTER_OFFSET,
    WAN_OFFSET,
    host,
    site_router_offset,
)
from l3conf.model.topology import IPFamily, NetworkPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.model.topology import ClusterSpec, IPNetwork, Topology

WAN, BROKER, OUTSIDER = "wan", "broker", "@outsider"
WAN_BRIDGE, LAN_BRIDGE = "wan", "lan"


def router_key(cluster: str) -> str:
    """Return the key of a cluster's site router."""
    return f"router:{cluster}"


def control_plane_key(cluster: str) -> str:
    """Return the key of the host that a cluster's API server listens on."""
    return f"control-plane:{cluster}"


def node_key(cluster: str, node: str) -> str:
    """Return the key of a node; also its place (``l3conf.labs.base``)."""
    return f"{cluster}@{node}"


def plan_fabric(topology: Topology) -> FabricPlan:
    """Plan everything but pods. ``InvalidFileError`` if a family has pods but no way to carry them."""
    _check_families(topology)
    plans = [_wan(topology), _broker(topology), _outsider(topology)]
    for cluster in topology.clusters:
        plans += [_router(topology, cluster), _control_plane(cluster)]
        plans += [_node(cluster, number, node.name) for number, node in cluster.numbered_nodes]
    ports = {cable.to: cable.port for cable in plans[0].cables}
    sites = {cluster.name: ports[router_key(cluster.name)] for cluster in topology.clusters}
    sites |= {"broker": ports[BROKER], "outsider": ports[OUTSIDER]}
    lans = {cluster.name: router_key(cluster.name) for cluster in topology.clusters}
    return with_sites(topology, FabricPlan(namespaces={plan.key: plan for plan in plans}, wan_ports=sites, lans=lans))


def _check_families(topology: Topology) -> None:
    wan = _families(topology.wan_cidrs)
    for cluster in topology.clusters:
        lan = _families(cluster.node_cidrs)
        carried = lan if cluster.plugin is not NetworkPlugin.OVERLAY else frozenset(IPFamily)
        for family in _families(cluster.pod_cidrs) - carried:
            what = f"cluster {cluster.name} has {family.value} pods but its LAN has no {family.value}"
            raise InvalidFileError(what, where=f"topology {topology.name}", remedy="add a range to nodeCIDRs")
        for family in lan - wan:
            what = f"cluster {cluster.name} has an {family.value} LAN but the WAN has no {family.value}"
            raise InvalidFileError(what, where=f"topology {topology.name}", remedy="add a range to wanCIDRs")


def _families(cidrs: Sequence[IPNetwork]) -> frozenset[IPFamily]:
    return frozenset(IPFamily.of(cidr) for cidr in cidrs)


def _wan(topology: Topology) -> NamespacePlan:
    cables = [
        _cable(BROKER, BROKER_OFFSET, topology.wan_cidrs, master=UPLINK, name="eth0", to=BROKER),
        _cable("outsider", OUTSIDER_OFFSET, topology.wan_cidrs, master=UPLINK, name="eth0", to=OUTSIDER),
    ]
    for index, cluster in enumerate(topology.clusters):
        offset = site_router_offset(topology, cluster)
        to = router_key(cluster.name)
        cables.append(_cable(f"site{index}", offset, topology.wan_cidrs, master=UPLINK, name="wan", to=to))
    addresses = _addresses(UPLINK, topology.wan_cidrs, WAN_OFFSET)
    return NamespacePlan(
        key=WAN,
        forwarding=True,
        families=_families(topology.wan_cidrs),
        bridges=(Bridge(name=WAN_BRIDGE, index=UPLINK, mac=mac_of(addresses[0].interface.ip)),),
        cables=tuple(cables),
        addresses=addresses,
        routes=(*_routes_to_lans(topology), *_dead_end(topology)),
        ruleset=wan_refusal(topology),
        bridge_ruleset=faults.BASE,
    )


def _dead_end(topology: Topology) -> Iterator[Route]:
    """Yield the WAN's default route, which leads nowhere but past ``wan_refusal``."""
    if IPFamily.IPV4 in _families(topology.wan_cidrs):
        yield Route(destination=EVERYTHING[IPFamily.IPV4], link=UPLINK)


def _broker(topology: Topology) -> NamespacePlan:
    return NamespacePlan(
        key=BROKER,
        families=_families(topology.wan_cidrs),
        addresses=_addresses(UPLINK, topology.wan_cidrs, BROKER_OFFSET),
        routes=(*_routes_to_lans(topology), *_defaults(topology.wan_cidrs, WAN_OFFSET)),
    )


def _outsider(topology: Topology) -> NamespacePlan:
    return NamespacePlan(
        key=OUTSIDER,
        families=_families(topology.wan_cidrs),
        addresses=_addresses(UPLINK, topology.wan_cidrs, OUTSIDER_OFFSET),
        routes=(
            *_routes_to_lans(topology),
            *_routes_to_pod_ranges(topology),
            *_defaults(topology.wan_cidrs, WAN_OFFSET),
        ),
    )


def _router(topology: Topology, cluster: ClusterSpec) -> NamespacePlan:
    lan = _addresses(BRIDGE, cluster.node_cidrs, ROUTER_OFFSET)
    to = control_plane_key(cluster.name)
    cables = [_cable("control-plane", CONTROL_PLANE_OFFSET, cluster.node_cidrs, master=BRIDGE, name="eth0", to=to)]
    routes = [*_routes_to_lans(topology, without=cluster), *_defaults(topology.wan_cidrs, WAN_OFFSET)]
    for number, node in cluster.numbered_nodes:
        offset, to = FIRST_NODE_OFFSET + number, node_key(cluster.name, node.name)
        cables.append(_cable(f"node{number}", offset, cluster.node_cidrs, master=BRIDGE, name="eth0", to=to))
        routes += routes_to_pods(cluster, number)
    return NamespacePlan(
        key=router_key(cluster.name),
        forwarding=True,
        families=_families(topology.wan_cidrs),
        bridges=(Bridge(name=LAN_BRIDGE, index=BRIDGE, mac=mac_of(lan[0].interface.ip)),),
        cables=tuple(cables),
        addresses=(*_addresses(UPLINK, topology.wan_cidrs, site_router_offset(topology, cluster)), *lan),
        routes=tuple(routes),
    )


def _control_plane(cluster: ClusterSpec) -> NamespacePlan:
    return NamespacePlan(
        key=control_plane_key(cluster.name),
        families=_families(cluster.node_cidrs),
        addresses=_addresses(UPLINK, cluster.node_cidrs, CONTROL_PLANE_OFFSET),
        routes=_defaults(cluster.node_cidrs, ROUTER_OFFSET),
    )


def _node(cluster: ClusterSpec, number: int, name: str) -> NamespacePlan:
    network = PLUGINS[cluster.plugin].node_network(cluster, number)
    return NamespacePlan(
        key=node_key(cluster.name, name),
        forwarding=True,
        strict_reverse_path=network.strict_reverse_path,
        families=_families(cluster.node_cidrs) | _families(cluster.pod_cidrs),
        bridges=network.bridges,
        tunnels=network.tunnels,
        addresses=(*_addresses(UPLINK, cluster.node_cidrs, FIRST_NODE_OFFSET + number), *network.addresses),
        routes=(*_defaults(cluster.node_cidrs, ROUTER_OFFSET), *network.routes),
        ruleset=network.ruleset,
    )


def _cable(port: str, offset: int, segment: Sequence[IPNetwork], *, master: int, name: str, to: str) -> Cable:
    """Plug the host at ``offset`` of a segment into that segment's bridge."""
    mac = mac_of(host(segment[0], offset))
    return Cable(port=port, port_index=FIRST_PORT + offset, master=master, to=to, name=name, index=UPLINK, mac=mac)


def _addresses(link: int, segment: Sequence[IPNetwork], offset: int) -> tuple[Address, ...]:
    return tuple(Address(link=link, interface=on_link(cidr, offset)) for cidr in segment)


def _defaults(segment: Sequence[IPNetwork], offset: int) -> tuple[Route, ...]:
    return tuple(default_route(host(cidr, offset)) for cidr in segment)


def _routes_to_lans(topology: Topology, without: ClusterSpec | None = None) -> Iterator[Route]:
    """Yield the routes to sites' LANs for whoever is on the WAN."""
    for cluster in topology.clusters:
        if cluster is not without:
            for cidr in cluster.node_cidrs:
                yield _via_site(topology, cluster, cidr)


def _routes_to_pod_ranges(topology: Topology) -> Iterator[Route]:
    """Yield the outsider's routes to pods that their LAN carries; where ranges overlap, the first site has it."""
    claimed: list[IPNetwork] = []
    for cluster in topology.clusters:
        for cidr in cluster.pod_cidrs:
            if IPFamily.of(cidr) in _families(cluster.node_cidrs) and not any(
                cidr.version == other.version and cidr.overlaps(other) for other in claimed
            ):
                claimed.append(cidr)
                yield _via_site(topology, cluster, cidr)


def _via_site(topology: Topology, cluster: ClusterSpec, destination: IPNetwork) -> Route:
    offset = site_router_offset(topology, cluster)
    segment = next(cidr for cidr in topology.wan_cidrs if cidr.version == destination.version)
    return Route(destination=destination, via=host(segment, offset))
