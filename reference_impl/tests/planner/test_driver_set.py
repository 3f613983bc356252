from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import ip_address
from itertools import permutations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.names import CABLE_DEVICE, IPSEC_DEVICE, PUBLIC_KEY, WIREGUARD_DEVICE
from reference_impl.nft_script import render
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.membership import plan_membership
from reference_impl.protocols.objects import Way
from reference_impl.state import KernelState, Link
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, cluster, endpoint

if TYPE_CHECKING:
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.protocols.objects import Endpoint

NAMES = ("libreswan", "wireguard", "vxlan")
DEVICES = {"libreswan": IPSEC_DEVICE, "wireguard": WIREGUARD_DEVICE, "vxlan": CABLE_DEVICE}


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def speaking(number: int, *names: str) -> Endpoint:
    """Return the Endpoint of a member that speaks these."""
    drivers = load_drivers(names, key(number))
    parameters = frozenset(drivers.parameters.items())
    return endpoint(number, backend=drivers.backend, port=drivers.port, parameters=parameters)


def plan(drivers: DriverSet, *peers: Endpoint) -> KernelState:
    known = plan_membership(OWN, (), (), peers, drivers=drivers)
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=known.peers, addresses=addresses_of(0))
    return plan_cables(facts, drivers)


def device_of(drivers: DriverSet, peer: Endpoint) -> str:
    devices = {route.device for route in plan(drivers, peer).routes if route.destination in peer.subnets}
    return devices.pop() if devices else ""


def test_a_member_with_one_driver_says_nothing_new() -> None:
    assert dict(speaking(2, "vxlan").parameters) == {}
    assert (speaking(2, "vxlan").backend, speaking(2, "vxlan").port) == ("vxlan", 4500)


def test_several_drivers_are_said_in_order_each_with_its_port_and_the_first_as_ever() -> None:
    peer = speaking(2, "wireguard", "vxlan")
    assert (peer.backend, peer.port) == ("wireguard", 4501)
    assert dict(peer.parameters) == {PUBLIC_KEY: key(2), "cable-drivers": "wireguard:4501,vxlan:4502"}


orders = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)


@given(orders, orders)
def test_both_ends_choose_the_same_driver_or_both_none(ours: list[str], theirs: list[str]) -> None:
    here = device_of(load_drivers(ours, key(1)), speaking(2, *theirs))
    there = device_of(load_drivers(theirs, key(2)), speaking(3, *ours))
    assert here == there or {here, there} == {""}
    assert bool(here) == bool(set(ours) & set(theirs))


@given(orders)
def test_members_that_like_the_same_best_use_it(order: list[str]) -> None:
    assert device_of(load_drivers(order, key(1)), speaking(2, *order)) == DEVICES[order[0]]


def test_each_peer_has_the_cable_that_the_pair_likes_best() -> None:
    state = plan(
        load_drivers(NAMES, key(1)), speaking(2, "vxlan"), speaking(3, "wireguard", "vxlan"), speaking(4, *NAMES)
    )
    ways = {route.destination: route.device for route in state.routes}
    for number, name in ((2, "vxlan"), (3, "wireguard"), (4, "libreswan")):
        assert {ways[subnet] for subnet in endpoint(number).subnets} == {DEVICES[name]}
    assert {link.name for link in state.links} == set(DEVICES.values())


def test_a_peer_is_reached_at_the_port_of_the_driver_that_is_used() -> None:
    (entry,) = plan(load_drivers(["vxlan"]), speaking(2, "wireguard", "vxlan")).forwarding
    assert entry.port == 4502
    (entry,) = plan(load_drivers(NAMES, key(1)), speaking(2, "vxlan")).forwarding
    assert entry.port == 4500


def test_discovery_finds_the_address_for_every_driver_and_the_port_of_the_first() -> None:
    found = Way(address=ip_address("203.0.113.7"), port=4501, reason="PublicAddress", message="")
    peer = replace(speaking(2, "wireguard", "vxlan"), way=found)
    (entry,) = plan(load_drivers(["vxlan"]), peer).forwarding
    assert (entry.destination, entry.port) == (found.address, 4502)
    (tunnel,) = plan(load_drivers(["wireguard"], key(1)), peer).peers
    assert tunnel.endpoint == (found.address, 4501)


def test_what_no_peer_uses_is_not_there() -> None:
    state = plan(load_drivers(["wireguard", "vxlan"], key(1)), speaking(2, "vxlan"))
    (link,) = state.links
    assert isinstance(link, Link)


def test_no_common_driver_is_named_with_both_offers_and_its_prefixes_go_nowhere() -> None:
    refused = plan_membership(
        OWN, (), [cluster(2)], [speaking(2, "libreswan", "wireguard")], drivers=load_drivers(["vxlan"])
    )
    (refusal,) = refused.refusals
    assert (refusal.reason, refused.peers) == ("DriverMismatch", ())
    assert refusal.message == "cable driver 'libreswan' or 'wireguard' there, 'vxlan' here"
    assert set(endpoint(2).subnets) <= set(refused.known)


def test_a_peer_behind_one_cable_cannot_pose_as_one_behind_another() -> None:
    state = plan(load_drivers(NAMES, key(1)), speaking(2, "vxlan"), speaking(4, *NAMES))
    assert state.ruleset is not None
    (arrived,) = (chain for chain in state.ruleset.chains if chain.name == f"from-{CABLE_DEVICE}")
    assert f'"{CABLE_DEVICE}" : goto {arrived.name}' in render(state.ruleset)
    weak = " ".join(f"ip saddr != {subnet}" for subnet in sorted(map(str, endpoint(2).subnets)))
    assert f"{weak} counter drop" in arrived.rules


def test_only_the_cable_that_does_not_authenticate_is_filtered_by_address() -> None:
    state = plan(load_drivers(NAMES, key(1)), speaking(2, "vxlan"), speaking(4, *NAMES))
    assert state.ruleset is not None
    (underlay,) = (chain for chain in state.ruleset.chains if chain.name == "underlay")
    assert underlay.rules == ("udp dport 4502 goto to-4502",)
    (door,) = (chain for chain in state.ruleset.chains if chain.name == "to-4502")
    assert door.rules
    assert all(rule.endswith("drop") for rule in door.rules)


def test_only_packets_of_a_cable_that_nobody_answers_are_left_untracked() -> None:
    """Answers to WireGuard's and IKE's packets go to the port they came from: firewalls may let them in by state."""
    state = plan(load_drivers(NAMES, key(1)), speaking(2, "vxlan"), speaking(4, *NAMES))
    assert state.ruleset is not None
    ours, both = NODES[0].underlay, "udp dport 4502 udp sport != 4502 ip"
    (peers,) = (item.name for item in state.ruleset.sets if item.name.startswith("peers"))
    assert [(chain.name, rule) for chain in state.ruleset.chains for rule in chain.rules if "notrack" in rule] == [
        ("arriving", f"{both} daddr {ours} ip saddr @{peers} notrack"),
        ("leaving", f"{both} saddr {ours} ip daddr @{peers} notrack"),
    ]


def test_an_offer_that_cannot_be_read_leaves_what_everybody_reads() -> None:
    for text in ("", ",", "vxlan:", "vxlan:99999999", "vxlan:-1", "vxlan:4²", "::", "geneve:1"):
        peer = endpoint(2, backend="vxlan", parameters=frozenset({("cable-drivers", text)}))
        assert device_of(load_drivers(["vxlan"]), peer) == CABLE_DEVICE


def test_the_order_of_equal_wishes_does_not_matter() -> None:
    chosen = {
        device_of(load_drivers(ours, key(1)), speaking(2, *theirs))
        for ours, theirs in permutations((("wireguard", "vxlan"), ("vxlan", "wireguard")))
    }
    assert len(chosen) == 1


def test_a_peer_is_shown_with_the_driver_that_the_pair_uses() -> None:
    ours = load_drivers(("wireguard", "vxlan"), key(1))
    assert (ours.chosen(speaking(2, "vxlan")).backend, ours.chosen(speaking(2, "vxlan")).port) == ("vxlan", 4500)
    both = ours.chosen(speaking(2, "vxlan", "wireguard"))
    assert both.backend == min(("vxlan", "wireguard"))  # opposite preferences: the name decides
    assert ours.chosen(speaking(2, "libreswan")) == speaking(2, "libreswan")
