"""Gateways that stand by: what peers are told of them, what they believe, and what is made ready."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import CABLE_METRIC, FLOOR_METRIC, NODE_METRIC, PUBLIC_KEY, STANDBY_METRIC
from reference_impl.nft_script import render
from reference_impl.planner.addresses import tunnel_mac
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.ipsec import IPsecCables
from reference_impl.planner.lingering import LINGER, RELIEF, Lingering
from reference_impl.planner.membership import outer_addresses, plan_membership
from reference_impl.planner.node import plan_node
from reference_impl.planner.standbys import MOST, STANDBY_GATEWAYS, named_standbys, standby_parameter
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, cluster, endpoint, node_facts
from reference_impl.tests.planner.test_wireguard import key

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import KernelState, WireGuardPeer

VXLAN = DriverSet((VXLANCables(),))
WIREGUARD = DriverSet((WireGuardCables(key(1)),))
SECOND = ip_address("172.16.2.11")


def _second(number: int = 2, **changes: object) -> Endpoint:
    values = {"hostname": f"c{number}-2", "private_ip": ip_address(f"172.16.{number}.11")} | changes
    return endpoint(number, **values)


def _naming(peer: Endpoint, *standbys: Endpoint) -> Endpoint:
    return replace(peer, parameters=peer.parameters | standby_parameter(standbys).items())


def _keyed(peer: Endpoint, number: int) -> Endpoint:
    others = frozenset(entry for entry in peer.parameters if entry[0] != PUBLIC_KEY)
    return replace(peer, backend="wireguard", parameters=others | {(PUBLIC_KEY, key(number))})


def _membership(*peers: Endpoint, drivers: DriverSet = VXLAN) -> dict[str, Endpoint]:
    found = plan_membership(OWN, (), [cluster(2), cluster(3)], peers, drivers=drivers)
    assert found.refusals == ()
    return {peer.cluster_id: peer for peer in found.peers}


def _plan(*peers: Endpoint, drivers: DriverSet = VXLAN, **changes: object) -> KernelState:
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0))
    return plan_cables(replace(facts, **changes), drivers)  # type: ignore[arg-type]


def _text(plan: KernelState) -> str:
    assert plan.ruleset is not None
    return render(plan.ruleset)


def test_what_is_said_of_a_standby_is_read_as_the_endpoint_that_it_would_have() -> None:
    standby = _keyed(_second(public_ip=ip_address("192.0.2.12")), 5)
    (found,) = named_standbys(_naming(_keyed(endpoint(2), 2), standby))
    assert (found.hostname, found.private_ip, found.public_ip) == ("c2-2", SECOND, ip_address("192.0.2.12"))
    assert found.parameter(PUBLIC_KEY) == key(5)
    assert found.subnets == endpoint(2).subnets
    assert found.parameter(STANDBY_GATEWAYS) == ""


def test_who_has_nobody_to_follow_it_says_nothing() -> None:
    assert standby_parameter(()) == {}
    assert named_standbys(endpoint(2)) == ()


def test_what_is_said_fits_into_an_endpoint() -> None:
    many = [
        _keyed(_second(hostname=f"{'n' * 60}-{index}", private_ip=ip_address(f"172.16.2.{20 + index}")), 5)
        for index in range(9)
    ]
    said = standby_parameter(many)[STANDBY_GATEWAYS]
    assert len(said) <= 1024
    assert len(named_standbys(_naming(endpoint(2), *many))) == MOST


@given(st.text(max_size=60) | st.sampled_from(['[{"hostname":1}]', "[1]", "{}", "[[[", '[{"private_ip":"x"}]', "null"]))
def test_whatever_a_peer_writes_there_harms_nobody(text: str) -> None:
    peer = replace(endpoint(2), parameters=frozenset({(STANDBY_GATEWAYS, text)}))
    assert named_standbys(peer) == ()
    assert _membership(peer, endpoint(3)).keys() == {"c2", "c3"}


def test_a_standby_that_passes_for_another_members_gateway_is_not_believed() -> None:
    thief = _naming(endpoint(3), _second(3, private_ip=endpoint(2).private_ip))
    found = _membership(endpoint(2), thief)
    assert found["c3"].standbys == ()
    stolen = _naming(_keyed(endpoint(3), 3), _keyed(_second(3), 2))
    assert _membership(_keyed(endpoint(2), 2), stolen, drivers=WIREGUARD)["c3"].standbys == ()
    ours = _naming(_keyed(endpoint(3), 3), _keyed(_second(3), 1))
    assert _membership(ours, drivers=WIREGUARD)["c3"].standbys == ()


def test_two_members_cannot_name_the_same_standby() -> None:
    first, second = _naming(endpoint(2), _second()), _naming(endpoint(3), _second(3, private_ip=SECOND))
    found = _membership(first, second)
    assert [each.private_ip for each in found["c2"].standbys] == [SECOND]
    assert found["c3"].standbys == ()


def test_a_standby_among_another_members_pods_is_not_believed() -> None:
    inside = _naming(endpoint(3), _second(3, private_ip=ip_address("10.2.0.9")))
    assert _membership(endpoint(2), inside)["c3"].standbys == ()


def test_peers_take_packets_from_standbys_and_send_them_none() -> None:
    found = _membership(_naming(endpoint(2), _second()))["c2"]
    plan = _plan(found)
    assert tunnel_mac(SECOND) in {entry.mac for entry in plan.forwarding}
    assert {route.via for route in plan.routes if route.device} == {endpoint(2).private_ip}
    assert str(SECOND) in _text(plan)
    assert SECOND in outer_addresses(found)


def test_a_session_with_a_standby_is_up_and_carries_nothing() -> None:
    found = _membership(_naming(_keyed(endpoint(2), 2), _keyed(_second(), 5)), drivers=WIREGUARD)["c2"]
    peers: dict[str, WireGuardPeer] = {each.public_key: each for each in _plan(found, drivers=WIREGUARD).peers}
    assert peers[key(2)].allowed == frozenset(endpoint(2).subnets)
    assert peers[key(5)].allowed == frozenset()
    assert peers[key(5)].endpoint == (SECOND, 4500)
    assert peers[key(5)].keepalive


@pytest.mark.parametrize("drivers", [VXLAN, WIREGUARD])
def test_a_gateway_that_stands_by_differs_from_the_active_one_in_the_metric_of_its_routes_alone(
    drivers: DriverSet,
) -> None:
    peer = _keyed(endpoint(2), 2) if drivers is WIREGUARD else endpoint(2)
    active, standby = _plan(peer, drivers=drivers), _plan(peer, drivers=drivers, stands_by=True)
    assert CABLE_METRIC < NODE_METRIC < STANDBY_METRIC < FLOOR_METRIC
    preferred = {replace(route, metric=CABLE_METRIC) for route in standby.routes}
    assert {route.metric for route in standby.routes} == {STANDBY_METRIC}
    assert replace(standby, routes=frozenset(preferred)) == active


def test_an_ipsec_gateway_that_stands_by_is_ready_and_calls_nobody() -> None:
    peer = replace(_keyed(endpoint(2), 2), backend="libreswan")
    drivers = DriverSet((IPsecCables(key(1)),))
    active, standby = _plan(peer, drivers=drivers), _plan(peer, drivers=drivers, stands_by=True)
    assert {each.stands_by for each in active.ike_peers} == {False}
    assert standby.ike_peers == {replace(each, stands_by=True) for each in active.ike_peers}
    assert standby.links == active.links
    assert {route.metric for route in standby.routes} == {STANDBY_METRIC}


def test_members_packets_come_from_other_gateway_nodes_of_our_own_and_from_no_worker() -> None:
    alone = _text(_plan(endpoint(2)))
    assert "ether saddr" not in alone
    text = _text(_plan(endpoint(2), siblings=(NODES[1].underlay,)))
    assert f"ether saddr != {{ {tunnel_mac(NODES[1].underlay)} }} counter drop" in text


def test_a_worker_knows_every_gateway_node_and_sends_to_the_active_one() -> None:
    others = tuple(replace(node, is_gateway=True) for node in (NODES[0], NODES[2]))
    plan = plan_node(node_facts(1, others=others))
    assert {entry.destination for entry in plan.forwarding} == {node.underlay for node in others}
    assert {route.via for route in plan.routes if route.device} == {NODES[0].underlay}


def test_a_gateway_node_that_stands_by_knows_the_ways_to_all_nodes_beforehand() -> None:
    plan = plan_node(node_facts(1, node=replace(NODES[1], is_gateway=True)))
    ways = {route.destination: route.via for route in plan.routes if route.device}
    assert ways[ip_network("10.1.2.0/24")] == NODES[2].underlay
    assert ways[ip_network("10.2.0.0/16")] == NODES[0].underlay


def test_a_gateway_node_that_was_relieved_lingers_and_lets_go_of_cables_before_peers_forget_it() -> None:
    lingering = Lingering()
    assert lingering.of(["a"], 0.0) == {"a"}
    assert lingering.of([], LINGER - 0.1) == {"a"}
    assert lingering.of([], LINGER) == frozenset()
    assert RELIEF < LINGER
