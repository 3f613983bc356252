from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.names import IPSEC_DEVICE, IPSEC_LARGEST, PUBLIC_KEY, STANDBY_METRIC
from reference_impl.operations import Operation, Verb
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.ipsec import IPsecCables, lacking, questions, sub_tunnels_down
from reference_impl.planner.membership import plan_membership
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.state import InterfaceAddress, IPsecPeer, KernelState, Ruleset, SubTunnel
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def peer(number: int, **changes: object) -> Endpoint:
    parameters = frozenset({(PUBLIC_KEY, key(number))})
    return endpoint(number, **{"backend": "libreswan", "parameters": parameters, **changes})


def plan(*peers: Endpoint, mtu: int = 1500, **changes: object) -> KernelState:
    addresses = tuple(
        InterfaceAddress(device=one.device, address=one.address, mtu=mtu if one.device == "eth0" else one.mtu)
        for one in addresses_of(0)
    )
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses)
    return plan_cables(replace(facts, **changes), DriverSet((IPsecCables(key(1)),)))  # type: ignore[arg-type]


def converge(kernel: FakeKernel, wish: KernelState) -> tuple[Operation, ...]:
    steps = diff(wish, kernel.observe())
    assert kernel.apply(steps) == ()
    return steps


def test_a_sub_tunnel_for_each_pair_of_prefixes_as_other_implementations_have_it() -> None:
    (connection,) = plan(peer(2)).ike_peers
    assert connection.pairs == {(own, other) for own in OWN.prefixes for other in peer(2).subnets}
    assert (connection.name, connection.own_key, connection.public_key) == ("c2", key(1), key(2))
    assert connection.remote == (peer(2).private_ip, 4500)


def test_prefixes_of_two_families_make_no_pair() -> None:
    (connection,) = plan(peer(2, subnets=(ip_network("10.2.0.0/16"), ip_network("fd00:2::/48")))).ike_peers
    assert {other for _, other in connection.pairs} == {ip_network("10.2.0.0/16")}


def test_a_peer_behind_nat_is_called_at_its_public_address() -> None:
    behind = peer(2, nat_enabled=True, public_ip=ip_address("203.0.113.7"), port=4501)
    (connection,) = plan(behind).ike_peers
    assert connection.remote == (ip_address("203.0.113.7"), 4501)


@given(st.integers(576, 9216))
def test_what_goes_into_the_device_fits_the_underlay_as_esp_and_libipsec_can_read_it(mtu: int) -> None:
    (link,) = plan(peer(2), mtu=mtu).links
    # Outer IPv6 and UDP, ESP header, IV, trailer padded to four bytes, tag.
    assert 40 + 8 + 8 + 8 + -(-(link.mtu + 2) // 4) * 4 + 16 <= mtu
    assert link.mtu <= IPSEC_LARGEST


def test_routes_lead_into_the_device_and_nowhere_else() -> None:
    assert {route.device for route in plan(peer(2), peer(3)).routes} == {IPSEC_DEVICE}


def test_one_more_peer_changes_nothing_for_the_others() -> None:
    kernel = FakeKernel(addresses_of(0))
    converge(kernel, plan(peer(2)))
    steps = converge(kernel, plan(peer(2), peer(3)))
    touched = [step.item for step in steps if isinstance(step.item, IPsecPeer)]
    assert [item.name for item in touched] == ["c3"]
    assert not [step for step in steps if step.verb is Verb.REMOVE]
    assert converge(kernel, plan(peer(2), peer(3))) == ()


def test_a_new_key_is_one_step_for_that_peer_alone_and_nothing_is_removed_first() -> None:
    kernel = FakeKernel(addresses_of(0))
    converge(kernel, plan(peer(2), peer(3)))
    rotated = peer(2, parameters=frozenset({(PUBLIC_KEY, key(9))}))
    steps = converge(kernel, plan(rotated, peer(3)))
    assert [(step.verb, getattr(step.item, "name", "")) for step in steps] == [(Verb.SET, "c2")]


def test_a_peer_that_leaves_is_removed_after_its_routes() -> None:
    kernel = FakeKernel(addresses_of(0))
    converge(kernel, plan(peer(2), peer(3)))
    removed = [step.item for step in converge(kernel, plan(peer(2))) if step.verb is Verb.REMOVE]
    assert [getattr(item, "name", "") for item in removed][-1] == "c3"
    converge(kernel, KernelState())
    assert kernel.observe().state == KernelState()


def test_an_endpoint_of_an_implementation_with_one_secret_for_all_is_no_malformed_one() -> None:
    keyless = peer(2, parameters=frozenset())
    for drivers, backend in (((IPsecCables(key(1)),), ""), ((IPsecCables(key(1)), VXLANCables(port=4502)), "vxlan")):
        offered = replace(keyless, parameters=frozenset({("cable-drivers", "libreswan:4500,vxlan:4502")}))
        membership = plan_membership(OWN, [], [], [offered], drivers=DriverSet(drivers))
        if backend:
            (connected,) = membership.peers
            ((driver, _),) = DriverSet(drivers).shares([connected])
            assert driver.backend == backend
        else:
            (refusal,) = membership.refusals
            assert refusal.reason == "DriverMismatch"
            assert "publicKey" in refusal.message
            assert set(keyless.subnets) <= set(membership.known)


def test_an_endpoint_without_a_usable_key_is_refused_with_the_field_s_name() -> None:
    for text in ("x", key(0)):
        membership = plan_membership(
            OWN,
            [],
            [],
            [peer(2, parameters=frozenset({(PUBLIC_KEY, text)}))],
            drivers=DriverSet((IPsecCables(key(1)),)),
        )
        (refusal,) = membership.refusals
        assert (refusal.reason, membership.peers) == ("Malformed", ())
        assert "publicKey" in refusal.message


def test_one_sub_tunnel_that_is_down_is_named() -> None:
    wish = plan(peer(2), peer(3))
    every = {SubTunnel(peer=one.name, pair=pair) for one in wish.ike_peers for pair in one.pairs}
    lost = next(item for item in every if item.peer == "c3")
    assert sub_tunnels_down(wish.ike_peers, frozenset(every)) == {}
    assert sub_tunnels_down(wish.ike_peers, frozenset(every - {lost})) == {"c3": (lost.pair,)}


def test_a_family_whose_sub_tunnels_are_up_lacks_nothing() -> None:
    six = ip_network("fd00::/48"), ip_network("fd01::/48")
    four = ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16")
    (ike,) = plan(peer(2)).ike_peers
    ike = replace(ike, pairs=frozenset({six, four}))
    up = frozenset({SubTunnel(peer="c2", pair=six)})
    assert lacking([ike], up) == {("c2", 4): "no packets between 10.1.0.0/16 and 10.2.0.0/16"}


def test_every_sub_tunnel_is_asked_once_by_its_health_check_or_a_question_of_its_own() -> None:
    here = ip_address("10.1.0.1")
    west = peer(2)
    (ike,) = plan(west).ike_peers
    asked = questions([ike], [west], {4: here})
    main = [(own, other) for own, other in ike.pairs if here in own and west.health_check_ip in other]
    assert len(main) == 1
    assert {question.sub_tunnel.pair for question in asked} == ike.pairs - {*main}
    for question in asked:
        own, other = question.sub_tunnel.pair
        assert question.source in own
        assert question.destination in other


def test_what_asks_from_an_anchor_keeps_its_source() -> None:
    anchors = [chain for chain in (plan(peer(2)).ruleset or Ruleset(table="")).chains if chain.name == "anchors"]
    assert [chain.kind for chain in anchors] == ["nat"]
    assert all(str(prefix.network_address) in anchors[0].rules[0] for prefix in OWN.prefixes)


def _names(planned: KernelState) -> dict[str, tuple[str, bool]]:
    """Return name and role by key."""
    return {each.public_key: (each.name, each.stands_by) for each in planned.ike_peers}


def test_a_gateway_keeps_its_connection_when_it_takes_over() -> None:
    old, new = peer(2), replace(peer(2, private_ip=ip_address("172.16.2.11")), parameters=peer(7).parameters)
    before = _names(plan(replace(old, standbys=(new,))))
    assert before == {key(2): ("c2", False), key(7): ("c2+1", True)}
    known = frozenset((name, public) for public, (name, _) in before.items())
    assert _names(plan(replace(new, standbys=(old,)), connections=known)) == {
        key(2): ("c2", True),
        key(7): ("c2+1", False),
    }
    assert _names(plan(new, connections=known)) == {key(7): ("c2+1", False)}


def test_sub_tunnels_are_asked_for_and_missed_at_the_active_gateway_alone() -> None:
    new = replace(peer(2, private_ip=ip_address("172.16.2.11")), parameters=peer(7).parameters)
    both = replace(peer(2), standbys=(new,))
    planned, alone = plan(both), plan(peer(2))
    own = {4: ip_address("10.1.0.1")}
    assert questions(planned.ike_peers, [both], own) == questions(alone.ike_peers, [peer(2)], own) != frozenset()
    assert sub_tunnels_down(planned.ike_peers, frozenset()) == sub_tunnels_down(alone.ike_peers, frozenset())
    assert set(sub_tunnels_down(planned.ike_peers, frozenset())) == {"c2"}


def test_while_a_gateway_waits_no_packet_prefers_its_cables() -> None:
    waiting, ready = plan(peer(2), waits=True), plan(peer(2))
    assert {route.metric for route in waiting.routes} == {STANDBY_METRIC}
    assert waiting.ike_peers == ready.ike_peers
