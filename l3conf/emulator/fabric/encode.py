"""Plans → rtnetlink requests. Pure but for the descriptors of namespaces, which must exist by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import ETHERNET_MTU
from l3conf.emulator.kernel.links import LOOPBACK, Peer, add_address, add_bridge, add_veth, set_link
from l3conf.emulator.kernel.routing import add_route, set_neighbour_timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.elements import Cable, NamespacePlan
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.emulator.kernel.request import Request

_RETRANSMIT_MS, _PROBES = 10, 50
"""Neighbour resolution: a first request can meet a bridge port that does not forward yet; the default would
repeat it only after a second. Half a second in all, then host unreachable."""


def links(plan: NamespacePlan, namespaces: Mapping[str, NetworkNamespace]) -> list[Request]:
    """Return the requests that make a namespace's bridges and plug its cables in."""
    bridges = [add_bridge(bridge.name, bridge.index, mac=bridge.mac) for bridge in plan.bridges]
    return bridges + [plug(cable, namespaces[cable.to]) for cable in plan.cables]


def plug(cable: Cable, far: NetworkNamespace) -> Request:
    """Return the request that plugs a cable in, made where its port is."""
    peer = Peer(namespace_fd=far.fd, name=cable.name, index=cable.index, mac=cable.mac, mtu=ETHERNET_MTU)
    return add_veth(cable.port, cable.port_index, peer, master=cable.master, mtu=ETHERNET_MTU)


def configuration(plan: NamespacePlan) -> list[Request]:
    """Return the requests that bring a namespace's links up, address and route them."""
    requests = [set_link(LOOPBACK, up=True)]
    for link in sorted(plan.links):
        requests.append(set_link(link, up=True))
        requests += [
            set_neighbour_timing(link, family, retransmit_ms=_RETRANSMIT_MS, probes=_PROBES) for family in plan.families
        ]
    requests += [add_address(address.link, address.interface) for address in plan.addresses]
    requests += [add_route(route.destination, gateway=route.via, link=route.link) for route in plan.routes]
    return requests
