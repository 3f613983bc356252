"""Laws of plans over members with IPv4, IPv6 or both, over underlays of either family."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.names import VXLAN_OVERHEAD
from reference_impl.planner.addresses import LEAST_IPV6, inner_mtu
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.membership import plan_membership
from reference_impl.planner.node import plan_node
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.object_codec import endpoint_spec, parse_endpoint
from reference_impl.protocols.objects import Cluster, Endpoint
from reference_impl.state import InterfaceAddress, IPNetwork, RouteKind
from reference_impl.tests.planner.facts import DUAL, NODES, OWN, endpoint, node_facts

VXLAN = DriverSet((VXLANCables(),))

V6_ONLY = Cluster(cluster_id="east", pod_cidrs=DUAL.pod_cidrs[1:], service_cidrs=DUAL.service_cidrs[1:])
underlays = st.integers(1 << 24, 223 << 24).map(IPv4Address) | st.integers(1, 2**64).map(
    lambda host: IPv6Address((0xFD01 << 112) + host)
)


def _prefixes(number: int, versions: set[int]) -> tuple[IPNetwork, ...]:
    found = (ip_network(f"10.{number}.0.0/16"), IPv6Network(f"fd10:{number:x}::/56"))
    return tuple(prefix for prefix in found if prefix.version in versions)


@st.composite
def peers(draw: st.DrawFn) -> tuple[Endpoint, ...]:
    """Draw members of every mixture of families."""
    chosen = draw(st.lists(st.integers(2, 60), min_size=1, max_size=4, unique=True))
    versions = draw(st.lists(st.sampled_from([{4}, {6}, {4, 6}]), min_size=len(chosen), max_size=len(chosen)))
    places = draw(st.lists(underlays, min_size=len(chosen), max_size=len(chosen), unique=True))
    return tuple(
        endpoint(number, subnets=_prefixes(number, which), private_ip=place)
        for number, which, place in zip(chosen, versions, places, strict=True)
    )


@given(peers(), underlays)
def test_every_prefix_has_a_way_whose_next_hop_is_known_whatever_the_families(
    members: tuple[Endpoint, ...], underlay: IPv4Address | IPv6Address
) -> None:
    here = InterfaceAddress(device="eth0", address=underlay, mtu=1500)
    plan = plan_cables(GatewayFacts(own=DUAL, underlay=underlay, peers=members, addresses=(here,)), VXLAN)
    ways = {route.destination: route for route in plan.routes if route.kind is RouteKind.UNICAST}
    known = {(entry.device, entry.address): entry.mac for entry in plan.neighbours}
    led = {(entry.device, entry.mac): entry.destination for entry in plan.forwarding}
    for member in members:
        for subnet in member.subnets:
            way = ways[subnet]
            assert way.via is not None
            assert led[way.device, known[way.device, way.via]] == member.private_ip
    assert all(not route.via.is_link_local or route.via.version == 6 for route in ways.values() if route.via)


@given(peers())
def test_a_plan_over_mixed_families_is_reached_and_then_rests(members: tuple[Endpoint, ...]) -> None:
    kernel = FakeKernel()
    facts = GatewayFacts(own=DUAL, underlay=NODES[0].underlay, peers=members, addresses=())
    plan = plan_cables(facts, VXLAN)
    assert kernel.apply(diff(plan, kernel.observe())) == ()
    assert diff(plan, kernel.observe()) == ()


@given(peers())
def test_members_are_connected_exactly_where_they_share_a_family(members: tuple[Endpoint, ...]) -> None:
    for own in (OWN, DUAL, V6_ONLY):
        found = plan_membership(own, [], [], members, drivers=VXLAN)
        shared = {each.cluster_id for each in members if set(each.versions) & set(own.versions)}
        assert {peer.cluster_id for peer in found.peers} == shared
        assert {refusal.reason for refusal in found.refusals} <= {"IPFamilyMismatch"}


def test_a_family_mismatch_says_who_has_what() -> None:
    (refusal,) = plan_membership(OWN, [], [], [endpoint(2, subnets=_prefixes(2, {6}))], drivers=VXLAN).refusals
    assert (refusal.reason, refusal.message) == ("IPFamilyMismatch", "IPv6 there, IPv4 here")


def test_nodes_of_a_dual_cluster_have_a_source_in_each_family() -> None:
    addresses = (InterfaceAddress(device="cni0", address=ip_address("fd10:1:0:1::1"), mtu=1500),)
    remote = (*_prefixes(2, {4, 6}),)
    plan = plan_node(node_facts(own=DUAL, addresses=addresses, known=remote, reachable=remote))
    sources = {route.destination.version: str(route.source) for route in plan.routes if route.device}
    assert sources == {4: "10.1.1.0", 6: "fd10:1:0:1::1"}


@pytest.mark.parametrize(("four", "six"), list(product((True, False), repeat=2)))
def test_addresses_of_each_family_survive_the_way_through_json(four: bool, six: bool) -> None:  # noqa: FBT001 - parameters
    offered = [address for address, there in ((ip_address("10.2.0.1"), four), (ip_address("fd10:2::1"), six)) if there]
    sent = endpoint(2, health_check_ip=next(iter(offered), None), other_health_check_ips=tuple(offered[1:]))
    spec = endpoint_spec(sent)
    assert parse_endpoint({"spec": spec}) == sent
    assert spec.get("healthCheckIPs", []) == [str(address) for address in offered]
    assert {version: sent.health_check(version) is not None for version in (4, 6)} == {4: four, 6: six}


@pytest.mark.parametrize("own", [OWN, DUAL])
@pytest.mark.parametrize(("place", "cuts"), [("172.16.1.10", True), ("fd01:1::a", False)])
@given(size=st.integers(1280, 1500))
def test_a_device_with_ipv6_has_the_size_that_ipv6_needs_wherever_outer_packets_can_be_cut(
    own: Cluster, place: str, *, cuts: bool, size: int
) -> None:
    """WireGuard's and IPsec's can in either family, VXLAN's over IPv4 only; elsewhere a size says what fits."""
    here = InterfaceAddress(device="eth0", address=ip_address(place), mtu=size)
    facts = GatewayFacts(own=own, underlay=here.address, peers=(endpoint(2),), addresses=(here,))
    least = LEAST_IPV6 if own is DUAL else 0
    (cable,) = plan_cables(facts, VXLAN).links
    assert cable.mtu == max(size - VXLAN_OVERHEAD[here.address.version], least if cuts else 0)
    assert inner_mtu(size, 80, own.versions) == max(size - 80, least)


def test_nodes_have_that_size_too() -> None:
    small = tuple(replace(each, mtu=1300) for each in node_facts().addresses)
    assert {link.mtu for link in plan_node(node_facts(addresses=small)).links} == {1250}
    assert {link.mtu for link in plan_node(node_facts(own=DUAL, addresses=small)).links} == {LEAST_IPV6}


@pytest.mark.parametrize(("place", "size"), [("172.16.1.10", 1450 - 60), ("fd01:1::a", 1280 - 70 - 60)])
def test_segments_fit_every_path_where_outer_packets_are_not_cut_up(place: str, size: int) -> None:
    facts = node_facts(own=DUAL, known=DUAL.prefixes)
    node = replace(facts.node, underlay=ip_address(place))
    here = InterfaceAddress(device="eth0", address=node.underlay, mtu=1500)
    ruleset = plan_node(replace(facts, node=node, addresses=(here,))).ruleset
    assert ruleset is not None
    (clamp,) = (chain for chain in ruleset.chains if chain.name == "clamp")
    assert {rule.rpartition(" ")[2] for rule in clamp.rules if rule.startswith("ip6")} == {str(size)}
