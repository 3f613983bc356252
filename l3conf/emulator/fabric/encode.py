"""Plans → rtnetlink requests. Pure but for the descriptors of namespaces, which must exist by then."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.links import (
    LOOPBACK,
    Peer,
    add_address,
    add_bridge,
    add_veth,
    answer_for_everyone,
    set_link,
)
from l3conf.emulator.kernel.routing import (
    add_neighbour,
    add_route,
    delete_neighbour,
    delete_route,
    set_neighbour_timing,
    set_proxy_delay,
)
from l3conf.emulator.kernel.vxlan import add_forwarding, add_vxlan, delete_forwarding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from l3conf.emulator.fabric.elements import Cable, NamespacePlan, Route, Tunnel, TunnelPeer
    from l3conf.emulator.fabric.plugins.protocol import PodNetwork
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.emulator.kernel.request import Request
    from l3conf.model.topology import IPFamily

_RETRANSMIT_MS, _PROBES = 10, 50
"""Neighbour resolution: a first request can meet a bridge port that does not forward yet; the default would
repeat it only after a second. Half a second in all, then host unreachable."""


def links(plan: NamespacePlan, namespaces: Mapping[str, NetworkNamespace]) -> list[Request]:
    """Return the requests that make a namespace's bridges and tunnels and plug its cables in."""
    made = [add_bridge(bridge.name, bridge.index, mac=bridge.mac, mtu=bridge.mtu) for bridge in plan.bridges]
    made += [_tunnel(tunnel) for tunnel in plan.tunnels]
    return made + [plug(cable, namespaces[cable.to]) for cable in plan.cables]


def plug(cable: Cable, far: NetworkNamespace) -> Request:
    """Return the request that plugs a cable in, made where its port is."""
    peer = Peer(namespace_fd=far.fd, name=cable.name, index=cable.index, mac=cable.mac, mtu=cable.mtu)
    return add_veth(cable.port, cable.port_index, peer, master=cable.master, mtu=cable.mtu)


def connection(pod: PodNetwork, far: NetworkNamespace) -> list[Request]:
    """Return the requests that connect a pod, made on its node."""
    port, families = pod.cable.port_index, pod.namespace.families
    requests = [plug(pod.cable, far)]
    if pod.answers_for_everyone:
        requests += [answer_for_everyone(port), *_timing(port, families)]
        requests += [set_proxy_delay(port, family, delay_ms=0) for family in families]
    requests += [add_address(address.link, address.interface) for address in pod.port_addresses]
    return requests + [route_request(route) for route in pod.port_routes]


def configuration(plan: NamespacePlan) -> list[Request]:
    """Return the requests that bring a namespace's links up, address and route them."""
    requests = [set_link(LOOPBACK, up=True)]
    for link in sorted(plan.links):
        requests += [set_link(link, up=True), *_timing(link, plan.families)]
    requests += [add_address(address.link, address.interface) for address in plan.addresses]
    for tunnel in plan.tunnels:
        requests += [set_link(tunnel.index, up=True), *_peers(tunnel, tunnel.peers)]
    return requests + [route_request(route) for route in plan.routes]


def additions(before: NamespacePlan, after: NamespacePlan) -> list[Request]:
    """Return the requests for what a plan has in routes and tunnel peers, and the one before had not.

    Cables are not among them: their other ends have to be made first.
    """
    requests: list[Request] = []
    for old, new in zip(before.tunnels, after.tunnels, strict=True):
        requests += _peers(new, [peer for peer in new.peers if peer not in old.peers])
    return requests + [route_request(route) for route in after.routes if route not in before.routes]


def removals(before: NamespacePlan, after: NamespacePlan) -> list[Request]:
    """Return the requests that take away what a plan had in routes and tunnel peers, and the one after has not."""
    requests = [delete_route(route.destination) for route in before.routes if route not in after.routes]
    for old, new in zip(before.tunnels, after.tunnels, strict=True):
        requests += _without_peers(new, [peer for peer in old.peers if peer not in new.peers])
    return requests


def _timing(link: int, families: Collection[IPFamily]) -> list[Request]:
    return [set_neighbour_timing(link, family, retransmit_ms=_RETRANSMIT_MS, probes=_PROBES) for family in families]


@functools.lru_cache(maxsize=4096)
def route_request(route: Route) -> Request:
    """Return the request that adds a route."""
    return add_route(
        route.destination,
        gateway=route.via,
        link=route.link,
        source=route.source,
        mtu=route.mtu,
        assume_on_link=route.assumes_on_link,
    )


def _tunnel(tunnel: Tunnel) -> Request:
    return add_vxlan(
        tunnel.name,
        tunnel.index,
        vni=tunnel.vni,
        port=tunnel.port,
        local=tunnel.local,
        mac=tunnel.mac,
        mtu=tunnel.mtu,
    )


def _peers(tunnel: Tunnel, peers: Iterable[TunnelPeer]) -> Iterator[Request]:
    for peer in peers:
        yield add_forwarding(tunnel.index, peer.mac, peer.underlay)
        for address in peer.neighbours:
            yield add_neighbour(tunnel.index, address, peer.mac)


def _without_peers(tunnel: Tunnel, peers: Iterable[TunnelPeer]) -> Iterator[Request]:
    for peer in peers:
        yield from (delete_neighbour(tunnel.index, address) for address in peer.neighbours)
        yield delete_forwarding(tunnel.index, peer.mac, peer.underlay)
