"""What stands between clusters and the WAN: turns a plan of routed sites into one of sites as they are. Pure.

::

    wan ══╦═════════════════════╦═══════
          router:west (NAT)     router:north (routed)
          ║ lan .1
          ╠══ <west>@<node>
          ╚══ .3 router:east ═══ lan ═══ <east>@<node>     east shares west's public address

The WAN has no route to an IPv4 LAN behind NAT; sites behind one address reach each other without it.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import BRIDGE, FIRST_PORT, UPLINK, Address, Route, default_route, mac_of, on_link
from l3conf.emulator.fabric.nat import Mapping, NATPlan, nat_ruleset
from l3conf.emulator.fabric.path_mtu import with_link_sizes
from l3conf.emulator.fabric.site_filters import icmp_error_filter, source_filter
from l3conf.model.addressing import FIRST_SHARER_OFFSET, ROUTER_OFFSET, host, node_addresses, site_router_offset
from l3conf.model.public_addresses import is_hidden, port_maps, public_cluster, sharers
from l3conf.model.site import NATKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.fabric.elements import FabricPlan, NamespacePlan
    from l3conf.model.topology import ClusterSpec, Topology

WAN = "wan"


def with_sites(topology: Topology, plan: FabricPlan) -> FabricPlan:
    """Put NAT, shared addresses, filters and small links between the clusters and the WAN."""
    namespaces = {key: _without_hidden_routes(topology, each) for key, each in plan.namespaces.items()}
    ports = dict(plan.wan_ports)
    for cluster in topology.clusters:
        if cluster.site.public_address_of:
            _move_behind(topology, cluster, namespaces)
            ports[cluster.name] = ports[cluster.site.public_address_of]
    for cluster in topology.clusters:
        router = namespaces[_router(cluster)]
        namespaces[router.key] = replace(
            router, ruleset=site_ruleset(topology, cluster), bridge_ruleset=cloud_filter(topology, cluster)
        )
    return with_link_sizes(topology, replace(plan, namespaces=namespaces, wan_ports=ports))


def nat_plan(topology: Topology, cluster: ClusterSpec) -> NATPlan | None:
    """Return what a cluster's site router translates; None where it only routes."""
    if cluster.site.nat is NATKind.NONE:
        return None
    offset = site_router_offset(topology, cluster)
    return NATPlan(
        kind=cluster.site.nat,
        public=next(cidr[offset] for cidr in topology.wan_cidrs if isinstance(cidr, IPv4Network)),
        inside=tuple(
            cidr
            for behind in (cluster, *sharers(topology, cluster))
            for cidr in behind.node_cidrs
            if isinstance(cidr, IPv4Network)
        ),
        mappings=tuple(_mappings(topology, cluster)),
        udp_timeout=cluster.site.udp_timeout,
    )


def site_ruleset(topology: Topology, cluster: ClusterSpec) -> str:
    """Return what a cluster's site router does to packets, as nftables text."""
    nat = nat_plan(topology, cluster)
    text = nat_ruleset(nat) if nat is not None else ""
    if cluster.site.filter_icmp_errors:
        text += icmp_error_filter()
    return text


def cloud_filter(topology: Topology, cluster: ClusterSpec) -> str:
    """Return what a cluster's LAN does to frames; it takes the place of an earlier one. "" where there is nothing."""
    if not cluster.site.filter_sources:
        return ""
    behind = {_port(topology, other): tuple(map(str, other.node_cidrs)) for other in sharers(topology, cluster)}
    return source_filter(cluster, behind)


def _mappings(topology: Topology, owner: ClusterSpec) -> Iterator[Mapping]:
    for cluster, port_map in port_maps(topology, owner):
        own = node_addresses(cluster, cluster.number_of(port_map.node))
        address = next(each for each in own if isinstance(each, IPv4Address))
        yield Mapping(external=port_map.external, address=address, port=port_map.port)


def _router(cluster: ClusterSpec) -> str:
    return f"router:{cluster.name}"


def _port(topology: Topology, cluster: ClusterSpec) -> str:
    return f"site{topology.clusters.index(cluster)}"


def _without_hidden_routes(topology: Topology, plan: NamespacePlan) -> NamespacePlan:
    """Take from everyone but the site itself the routes to LANs behind NAT and to pods behind a shared address."""
    routes = list(plan.routes)
    for cluster in topology.clusters:
        if is_hidden(topology, cluster) and _site_of(plan.key) != cluster.name:
            lans = [cidr for cidr in cluster.node_cidrs if isinstance(cidr, IPv4Network)]
            routes = [route for route in routes if route.destination not in lans]
        if cluster.site.public_address_of and _site_of(plan.key) != cluster.name:
            routes = list(_around(topology, cluster, routes))
    return replace(plan, routes=tuple(routes))


def _around(topology: Topology, cluster: ClusterSpec, routes: list[Route]) -> Iterator[Route]:
    """Lead what was routed to a site behind a shared address to the router that has the address."""
    own, shared = (site_router_offset(topology, each) for each in (cluster, public_cluster(topology, cluster)))
    instead = {host(cidr, own): host(cidr, shared) for cidr in topology.wan_cidrs}
    for route in routes:
        yield replace(route, via=instead[route.via]) if route.via in instead else route


def _site_of(key: str) -> str:
    return key.partition(":")[2] or key.partition("@")[0]


def _move_behind(topology: Topology, cluster: ClusterSpec, namespaces: dict[str, NamespacePlan]) -> None:
    """Plug a site's router into the LAN of the site whose public address it shares, instead of into the WAN."""
    owner = public_cluster(topology, cluster)
    wan, router, outer = namespaces[WAN], namespaces[_router(cluster)], namespaces[_router(owner)]
    cable = next(each for each in wan.cables if each.to == router.key)
    offset = FIRST_SHARER_OFFSET + sharers(topology, owner).index(cluster)
    uplink = tuple(Address(link=UPLINK, interface=on_link(cidr, offset)) for cidr in owner.node_cidrs)
    moved = replace(cable, port_index=FIRST_PORT + offset, master=BRIDGE, mac=mac_of(uplink[0].interface.ip))
    inner = tuple(each for each in router.addresses if each.link != UPLINK)
    pods = tuple(route for route in router.routes if _leads_inside(route, cluster))
    defaults = tuple(default_route(host(cidr, ROUTER_OFFSET)) for cidr in owner.node_cidrs)
    lans = tuple(
        Route(destination=cidr, via=host(way, offset))
        for cidr in cluster.node_cidrs
        for way in owner.node_cidrs
        if way.version == cidr.version
    )
    others = tuple(route for route in outer.routes if route.destination not in cluster.node_cidrs)
    namespaces[WAN] = replace(wan, cables=tuple(each for each in wan.cables if each is not cable))
    namespaces[router.key] = replace(router, addresses=(*uplink, *inner), routes=(*defaults, *pods))
    namespaces[outer.key] = replace(outer, cables=(*outer.cables, moved), routes=(*others, *lans))


def _leads_inside(route: Route, cluster: ClusterSpec) -> bool:
    return any(route.via is not None and route.via in cidr for cidr in cluster.node_cidrs)
