from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.names import PUBLIC_KEY, WIREGUARD_DEVICE
from reference_impl.nft_script import render
from reference_impl.operations import Operation, Verb
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.keyed import is_key
from reference_impl.planner.membership import plan_membership
from reference_impl.planner.node import plan_node
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.state import KernelState, Link, WireGuardLink, WireGuardPeer
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint, node_facts

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


OWN_KEY = key(1)
DRIVER = WireGuardCables(OWN_KEY)


def peer(number: int, public_key: str = "", **changes: object) -> Endpoint:
    parameters = frozenset({(PUBLIC_KEY, public_key or key(number))})
    return endpoint(number, backend="wireguard", parameters=parameters, **changes)


def plan(*peers: Endpoint) -> KernelState:
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0))
    return plan_cables(facts, DriverSet((DRIVER,)))


def _converge(kernel: FakeKernel, wanted: KernelState) -> tuple[Operation, ...]:
    steps = diff(wanted, kernel.observe())
    assert kernel.apply(steps) == ()
    return steps


def test_a_peer_may_send_from_its_own_subnets_and_no_others() -> None:
    peers = (peer(2), peer(3))
    assert {(p.public_key, p.allowed) for p in plan(*peers).peers} == {
        (key(2), frozenset(peers[0].subnets)),
        (key(3), frozenset(peers[1].subnets)),
    }


@given(st.sets(st.integers(2, 9), min_size=1))
def test_no_prefix_is_allowed_to_two_peers(numbers: set[int]) -> None:
    planned = plan(*map(peer, sorted(numbers)))
    allowed = [prefix for one in planned.peers for prefix in one.allowed]
    assert len(allowed) == len(set(allowed))
    assert {route.destination for route in planned.routes} == set(allowed)
    assert {route.device for route in planned.routes} == {WIREGUARD_DEVICE}


def test_the_device_leaves_room_for_its_headers() -> None:
    (link,) = plan(peer(2)).links
    assert (link.mtu, link.name) == (1420, WIREGUARD_DEVICE)


def test_every_node_tells_senders_what_fits_through_the_cable() -> None:
    (link,) = plan_node(node_facts(cable_devices=(WIREGUARD_DEVICE,), cable_overhead=80)).links
    assert link.mtu == 1420


def test_only_the_cluster_s_own_cable_is_believed() -> None:
    ruleset = plan_node(node_facts(cable_devices=(WIREGUARD_DEVICE,))).ruleset
    assert ruleset is not None
    assert '"submariner"' in render(ruleset)
    assert "vxlan-tunnel" not in render(ruleset)


def test_a_peer_behind_nat_may_come_from_any_outer_address() -> None:
    ruleset = plan(peer(2)).ruleset
    assert ruleset is not None
    assert "udp dport" not in render(ruleset)


def test_a_learnt_endpoint_is_not_overwritten_by_a_resync() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    _roam(kernel)
    assert diff(plan(peer(2)), kernel.observe()) == ()


def test_a_learnt_endpoint_survives_a_change_of_subnets() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    _roam(kernel)
    changed = plan(peer(2, subnets=peer(2).subnets[:1]))
    (step,) = [step for step in diff(changed, kernel.observe()) if isinstance(step.item, WireGuardPeer)]
    assert isinstance(step.item, WireGuardPeer)
    assert step.item.endpoint is None
    _converge(kernel, changed)
    assert diff(changed, kernel.observe()) == ()


def test_an_address_that_is_published_anew_is_used_at_once() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    kernel.heard_from.add(key(2))
    moved = plan(peer(2, private_ip=ip_address("172.16.2.99")))
    steps = [step for step in _converge(kernel, moved) if isinstance(step.item, WireGuardPeer)]
    assert [step.item.endpoint for step in steps if isinstance(step.item, WireGuardPeer)] == [
        (ip_address("172.16.2.99"), 4500)
    ]


def test_a_peer_that_went_silent_somewhere_is_looked_for_where_it_says_it_is() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    (known,) = kernel.observe().state.peers
    kernel.apply([Operation(Verb.SET, replace(known, endpoint=(ip_address("203.0.113.9"), 1025)))])
    (step,) = diff(plan(peer(2)), kernel.observe())
    assert step.item == known


def test_a_new_key_of_a_member_is_in_place_before_the_old_one_goes() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    steps = _converge(kernel, plan(peer(2, key(7))))
    assert [(step.verb, getattr(step.item, "public_key", "")) for step in steps] == [
        (Verb.SET, key(7)),
        (Verb.REMOVE, key(2)),
    ]


def test_an_own_new_key_changes_the_device_in_place() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2)))
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=(peer(2),), addresses=addresses_of(0))
    (step,) = _converge(kernel, plan_cables(facts, DriverSet((WireGuardCables(key(9)),))))
    assert step.verb is Verb.SET
    assert isinstance(step.item, WireGuardLink)


def test_changing_the_driver_leaves_nothing_of_the_old_one() -> None:
    kernel = FakeKernel()
    old = plan_node(node_facts(0)).links
    kernel.apply([Operation(Verb.SET, replace(link, name="vxlan-tunnel")) for link in old if isinstance(link, Link)])
    _converge(kernel, plan(peer(2)))
    assert {link.name for link in kernel.observe().state.links} == {WIREGUARD_DEVICE}


def test_cleaning_leaves_neither_device_nor_peer() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan(peer(2), peer(3)))
    _converge(kernel, KernelState())
    assert kernel.observe().state == KernelState()


def test_a_second_member_with_the_same_key_is_refused_and_the_first_keeps_it() -> None:
    clone = peer(3, key(2), created="2026-01-02T00:00:00Z")
    planned = plan_membership(
        OWN, (), (), (clone, peer(2, created="2026-01-01T00:00:00Z")), drivers=DriverSet((DRIVER,))
    )
    assert [one.cluster_id for one in planned.peers] == ["c2"]
    assert [(one.cluster_id, one.reason) for one in planned.refusals] == [("c3", "IdentityConflict")]


def test_a_member_with_our_own_key_is_refused() -> None:
    planned = plan_membership(OWN, (), (), (peer(2, OWN_KEY),), drivers=DriverSet((DRIVER,)))
    assert [one.reason for one in planned.refusals] == ["IdentityConflict"]


@given(st.text(max_size=50))
def test_a_key_that_is_none_concerns_its_member_alone(text: str) -> None:
    bad = endpoint(2, backend="wireguard", parameters=frozenset({(PUBLIC_KEY, text)}))
    planned = plan_membership(OWN, (), (), (bad, peer(3)), drivers=DriverSet((DRIVER,)))
    assert "c3" in [one.cluster_id for one in planned.peers]
    assert ("c2" in [one.cluster_id for one in planned.peers]) == is_key(text)


def test_a_member_that_offers_another_driver_is_refused_by_name() -> None:
    (refusal,) = plan_membership(OWN, (), (), (endpoint(2),), drivers=DriverSet((DRIVER,))).refusals
    assert refusal.reason == "DriverMismatch"
    assert "'vxlan' there, 'wireguard' here" in refusal.message


def _roam(kernel: FakeKernel) -> None:
    """Let all peers be heard from somewhere else, as an agent sees it that has just started: it has told nothing."""
    for known in kernel.observe().state.peers:
        kernel.apply([Operation(Verb.REMOVE, known), Operation(Verb.SET, replace(known, endpoint=None))])
        kernel.heard_from.add(known.public_key)
