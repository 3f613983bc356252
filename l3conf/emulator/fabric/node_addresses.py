"""A node that gets another address on its LAN, as after a new DHCP lease: its own network and whoever routes to it.

What the cluster's network plugin has to follow is followed here, as the plugin's own agent would; what an
implementation has to follow is left to it. Flows that were bound to the old address hang, as everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import UPLINK
from l3conf.emulator.fabric.encode import route_request
from l3conf.emulator.fabric.plan import node_key
from l3conf.emulator.kernel.links import add_address, delete_address
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.emulator.kernel.routing import delete_route
from l3conf.errors import LabError
from l3conf.model.topology import NetworkPlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.fabric.elements import NamespacePlan
    from l3conf.model.topology import ClusterSpec, IPAddress, IPNetwork

_IPV4 = 4


def move_node(fabric: Fabric, cluster: str, node: str, address: IPAddress) -> Callable[[], None]:
    """Give a node another address in place of the one of that family; return what gives it the old one again.

    ``LabError`` if the address is not free on the LAN, or the network plugin's tunnels are bound to the old one.
    """
    key = node_key(cluster, node)
    fabric.namespace(key)  # names what there is, if the node is unknown
    spec = fabric.topology.cluster(cluster)
    lan = _lan(fabric, spec, address)
    if spec.plugin is NetworkPlugin.OVERLAY:
        remedy = "choose a cluster with another network plugin"
        raise LabError("tunnels between nodes would still lead to the old address", where=key, remedy=remedy)
    old = next(
        each.interface.ip
        for each in fabric.plan.namespaces[key].addresses
        if each.link == UPLINK and each.interface.version == address.version
    )
    _move(fabric, key, lan, planned=old, before=old, after=address)
    return lambda: _move(fabric, key, lan, planned=old, before=address, after=old)


def _lan(fabric: Fabric, spec: ClusterSpec, address: IPAddress) -> IPNetwork:
    taken = {each.interface.ip for plan in fabric.plan.namespaces.values() for each in plan.addresses}
    for cidr in spec.node_cidrs:
        if address in cidr and address not in taken and address not in {cidr[0], cidr[-1]}:
            return cidr
    ranges = " or ".join(map(str, spec.node_cidrs))
    raise LabError(f"{address} is no free address of {ranges}", where=spec.name, remedy="choose another")


def _move(fabric: Fabric, key: str, lan: IPNetwork, *, planned: IPAddress, before: IPAddress, after: IPAddress) -> None:
    with RouteSocket(fabric.namespace(key)) as route:
        route.execute([delete_address(UPLINK, _interface(before, lan))])
        route.execute([add_address(UPLINK, _interface(after, lan))])
        # With its last IPv4 address a link loses its routes; those of IPv6 stay.
        lost = [one for one in fabric.plan.namespaces[key].routes if one.via is not None and one.via in lan]
        route.execute([route_request(one) for one in lost] if lan.version == _IPV4 else [])
    for other, plan in fabric.plan.namespaces.items():
        if other != key and (through := _through(plan, planned)):
            with RouteSocket(fabric.namespace(other)) as route:
                route.execute([delete_route(one) for one in through])
                route.execute([route_request(replace(one, via=after)) for one in plan.routes if one.via == planned])


def _through(plan: NamespacePlan, address: IPAddress) -> list[IPNetwork]:
    return [route.destination for route in plan.routes if route.via == address]


def _interface(address: IPAddress, lan: IPNetwork) -> IPv4Interface | IPv6Interface:
    text = f"{address}/{lan.prefixlen}"
    return IPv4Interface(text) if lan.version == _IPV4 else IPv6Interface(text)
