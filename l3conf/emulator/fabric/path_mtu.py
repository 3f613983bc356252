"""Links of a size of their own, and how those around them know it. Pure.

The WAN is one bridge, and a bridge drops what is too big without a word; so whoever sends into a small access
link has the size on its routes, as the router at the far end of a real link would have it on its interface.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import BRIDGE, UPLINK, Route, alone
from l3conf.model.addressing import host, site_router_offset
from l3conf.model.site import ETHERNET_MTU

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.elements import Bridge, Cable, FabricPlan, NamespacePlan
    from l3conf.model.topology import IPAddress, Topology

WAN = "wan"


def with_link_sizes(topology: Topology, plan: FabricPlan) -> FabricPlan:
    """Give every site's LAN and access link the size that the topology says."""
    lans = {f"router:{cluster.name}": cluster.site.lan_mtu for cluster in topology.clusters}
    access = {f"router:{cluster.name}": cluster.site.wan_mtu for cluster in topology.clusters}
    small = {
        host(cidr, site_router_offset(topology, cluster)): cluster.site.wan_mtu
        for cluster in topology.clusters
        if cluster.site.wan_mtu < ETHERNET_MTU
        for cidr in topology.wan_cidrs
    }
    sized = {
        key: _sized(_warned(each, small, access.get(key, ETHERNET_MTU)), lans.get(key), access)
        for key, each in plan.namespaces.items()
    }
    return replace(plan, namespaces=sized)


def _sized(plan: NamespacePlan, lan_mtu: int | None, access: Mapping[str, int]) -> NamespacePlan:
    """Size the bridge and cables of a LAN, and on the WAN those of the sites' access links."""
    if lan_mtu is None and plan.key != WAN:
        return plan

    def of(link: Bridge | Cable, mtu: int | None) -> int:
        return link.mtu if mtu is None else min(link.mtu, mtu)

    def cable_mtu(cable: Cable) -> int:
        return of(cable, access.get(cable.to) if plan.key == WAN else lan_mtu)

    bridges = tuple(replace(each, mtu=of(each, lan_mtu if each.index == BRIDGE else None)) for each in plan.bridges)
    cables = tuple(replace(each, mtu=cable_mtu(each)) for each in plan.cables)
    return replace(plan, bridges=bridges, cables=cables)


def _warned(plan: NamespacePlan, small: Mapping[IPAddress, int], own_mtu: int) -> NamespacePlan:
    """Put the size of a small access link on the routes of its neighbours on the WAN.

    Never more than the neighbour's own link carries: what is on a route counts instead of it.
    """
    if not small:
        return plan
    own = {address.interface.ip for address in plan.addresses}
    near = {
        address: min(mtu, own_mtu)
        for address, mtu in small.items()
        if address not in own
        and any(each.link == UPLINK and address in each.interface.network for each in plan.addresses)
    }
    routes = [replace(route, mtu=near[route.via]) if route.via in near else route for route in plan.routes]
    routes += [Route(destination=alone(address), link=UPLINK, mtu=mtu) for address, mtu in near.items()]
    return replace(plan, routes=tuple(routes))
