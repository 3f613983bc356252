from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_DEVICE
from reference_impl.planner.addresses import tunnel_mac
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.state import KernelState, RouteKind
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint


def plan(*peers: Endpoint) -> KernelState:
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0))
    return plan_cables(facts, DriverSet((VXLANCables(),)))


def test_nothing_is_planned_without_peers() -> None:
    assert plan() == KernelState()


def test_every_subnet_of_every_peer_leads_into_its_cable() -> None:
    peers = (endpoint(2), endpoint(3))
    routes = {(route.destination, route.via, route.device) for route in plan(*peers).routes}
    assert routes == {(subnet, peer.private_ip, CABLE_DEVICE) for peer in peers for subnet in peer.subnets}


def test_one_more_peer_changes_nothing_for_the_others() -> None:
    two, three = plan(endpoint(2)), plan(endpoint(2), endpoint(3))
    assert two.routes < three.routes
    assert two.forwarding < three.forwarding
    assert two.links == three.links


def test_a_peer_behind_nat_is_reached_at_its_public_address_under_its_own_hardware_address() -> None:
    peer = endpoint(2, nat_enabled=True, public_ip=ip_address("203.0.113.7"), port=4501)
    (entry,) = plan(peer).forwarding
    assert (entry.destination, entry.port, entry.mac) == (peer.public_ip, 4501, tunnel_mac(peer.private_ip))


def test_a_peer_without_public_address_is_reached_at_its_private_one() -> None:
    (entry,) = plan(endpoint(2, nat_enabled=True)).forwarding
    assert entry.destination == endpoint(2).private_ip


def test_a_gateway_inside_a_remote_prefix_is_reached_outside_its_own_tunnel() -> None:
    peer = endpoint(2, subnets=(ip_network("172.16.2.0/24"),))
    thrown = [route for route in plan(peer).routes if route.kind is RouteKind.THROW]
    assert [route.destination for route in thrown] == [ip_network("172.16.2.10/32")]
