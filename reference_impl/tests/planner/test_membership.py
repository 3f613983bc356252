from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.membership import local_gateway, plan_membership
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.tests.planner.facts import OWN, cluster, endpoint, endpoints, overlap, prefixes

if TYPE_CHECKING:
    from reference_impl.planner.membership import Membership
    from reference_impl.protocols.objects import Cluster, Endpoint


DRIVERS = DriverSet((VXLANCables(),))


def plan(*members: Endpoint, clusters: tuple[int, ...] = ()):  # type: ignore[no-untyped-def] # noqa: ANN201
    return plan_membership(
        OWN, (), [cluster(number) for number in clusters], members, drivers=DriverSet((VXLANCables(),))
    )


@given(st.lists(endpoints(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(members: list[Endpoint], random) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    shuffled = list(members)
    random.shuffle(shuffled)
    first, second = plan(*members), plan(*shuffled)
    assert {peer.cluster_id for peer in first.peers} == {peer.cluster_id for peer in second.peers}
    assert set(first.known) == set(second.known)


@given(st.lists(endpoints(), max_size=8))
def test_no_two_members_that_are_connected_overlap_each_other_or_us(members: list[Endpoint]) -> None:
    planned = plan(*members)
    for left, right in combinations(planned.peers, 2):
        assert not any(
            one.version == other.version and one.overlaps(other) for one in left.subnets for other in right.subnets
        )
    assert not any(
        subnet.version == own.version and subnet.overlaps(own)
        for peer in planned.peers
        for subnet in peer.subnets
        for own in OWN.prefixes
    )


@given(st.lists(endpoints(), max_size=8))
def test_every_member_is_connected_or_refused_with_a_reason(members: list[Endpoint]) -> None:
    planned = plan(*members)
    connected = {peer.cluster_id for peer in planned.peers}
    refused = {refusal.cluster_id for refusal in planned.refusals}
    assert connected | refused == {member.cluster_id for member in members}
    assert not connected & refused
    assert all(refusal.reason and refusal.message for refusal in planned.refusals)


def test_the_oldest_claim_wins() -> None:
    old = endpoint(2, created="2026-01-01T00:00:00Z")
    new = endpoint(3, subnets=old.subnets, created="2026-01-02T00:00:00Z")
    planned = plan(new, old)
    assert planned.peers == (old,)
    assert [(refusal.cluster_id, refusal.reason) for refusal in planned.refusals] == [("c3", "OverlappingCIDR")]


def test_a_member_that_claims_our_nodes_is_refused() -> None:
    taker = endpoint(2, subnets=(ip_network("172.16.0.0/12"),))
    planned = plan_membership(
        OWN, [ip_address("172.16.1.10")], [], [taker, endpoint(3)], drivers=DriverSet((VXLANCables(),))
    )
    assert [peer.cluster_id for peer in planned.peers] == ["c3"]


def test_a_member_with_another_driver_is_refused_alone() -> None:
    planned = plan(endpoint(2, backend="wireguard"), endpoint(3))
    assert [peer.cluster_id for peer in planned.peers] == ["c3"]
    assert planned.refusals[0].reason == "DriverMismatch"


def test_during_a_failover_the_newest_endpoint_counts() -> None:
    before = endpoint(2, created="2026-01-01T00:00:00Z")
    after = endpoint(2, private_ip=ip_address("172.16.2.11"), created="2026-01-02T00:00:00Z")
    assert plan(after, before).peers == (after,)
    assert local_gateway("c2", [after, before]) == after


def test_prefixes_of_a_member_without_endpoint_are_known() -> None:
    planned = plan(clusters=(2,))
    assert planned.peers == ()
    assert set(planned.known) == set(cluster(2).prefixes)


def test_who_may_not_connect_is_no_peer_and_its_prefixes_go_nowhere() -> None:
    apart = replace(cluster(2), isolation=("Isolated", "policy p says so"))
    planned = plan_membership(OWN, (), [apart, cluster(3)], [endpoint(2), endpoint(3)], drivers=DRIVERS)
    assert [peer.cluster_id for peer in planned.peers] == ["c3"]
    assert [(each.cluster_id, each.reason) for each in planned.refusals] == [("c2", "Isolated")]
    assert set(apart.prefixes) <= set(planned.known)


def test_who_may_not_connect_may_have_anybody_s_ranges() -> None:
    twin = replace(cluster(2), isolation=("Isolated", "policy p says so"), pod_cidrs=OWN.pod_cidrs)
    rival = replace(cluster(4), isolation=("Isolated", "policy p says so"), pod_cidrs=cluster(3).pod_cidrs)
    planned = plan_membership(OWN, (), [twin, rival, cluster(3)], [endpoint(3)], drivers=DRIVERS)
    assert [peer.cluster_id for peer in planned.peers] == ["c3"]
    assert {each.reason for each in planned.refusals} == {"Isolated"}
    assert set(planned.known) == {*cluster(3).prefixes}


def test_a_pair_uses_the_driver_that_policies_name_or_none() -> None:
    speaks = endpoint(2, backend="vxlan", parameters=frozenset({("cable-drivers", "vxlan:4500,wireguard:4501")}))
    for driver, reasons in (("vxlan", []), ("wireguard", ["DriverMismatch"]), ("libreswan", ["DriverMismatch"])):
        named = replace(cluster(2), cable_driver=driver)
        planned = plan_membership(OWN, (), [named], [speaks], drivers=DRIVERS)
        assert [each.reason for each in planned.refusals] == reasons
        assert len(planned.peers) == (not reasons)


def known_as(
    number: int, *ranges: str, pods: str = "", created: str = "2026-01-01T00:00:00Z"
) -> tuple[Cluster, Endpoint]:
    """Return a member that is known by global ranges, if there are any, whatever it has inside."""
    member = replace(
        cluster(number, created=created),
        pod_cidrs=(ip_network(pods or f"10.{number}.0.0/16"),),
        global_cidrs=tuple(map(ip_network, ranges)),
    )
    return member, endpoint(number, subnets=member.prefixes, created=created)


def seen_from(own: Cluster, *members: tuple[Cluster, Endpoint]) -> Membership:
    others = [each for each in members if each[0].cluster_id != own.cluster_id]
    return plan_membership(own, (), [each for each, _ in others], [each for _, each in others], drivers=DRIVERS)


def refused(planned: Membership) -> dict[str, str]:
    return {each.cluster_id: each.message for each in planned.refusals if each.reason == "OverlappingCIDR"}


SAME = "10.1.0.0/16"


def test_members_with_the_same_ranges_connect_if_each_is_known_by_another_global_range() -> None:
    east, west = known_as(2, "100.64.2.0/24", pods=SAME), known_as(3, "100.64.3.0/24", pods=SAME)
    plain = known_as(4)
    for own, _ in (east, west, plain):
        planned = seen_from(own, east, west, plain)
        assert (len(planned.peers), refused(planned)) == (2, {})


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (known_as(2, "100.64.2.0/24"), known_as(3, "100.64.2.128/25")),
        (known_as(2), known_as(3, "10.2.192.0/20")),
        (known_as(2, "100.64.2.0/24"), known_as(3, "10.2.192.0/20")),
        (known_as(2, "10.3.192.0/20"), known_as(3, "100.64.3.0/24")),
        (known_as(2, "10.3.192.0/20"), known_as(3)),
        (known_as(2, "100.64.2.0/24", pods=SAME), known_as(3, pods=SAME)),
    ],
    ids=[
        "global ranges",
        "in the pods of one without",
        "in the pods of one with",
        "the newcomer's pods in it",
        "a plain newcomer's pods in it",
        "a plain newcomer's pods among those of one with",
    ],
)
def test_both_say_that_a_global_range_is_taken(
    older: tuple[Cluster, Endpoint], newer: tuple[Cluster, Endpoint]
) -> None:
    assert [*refused(seen_from(older[0], newer))] == ["c3"]
    assert [*refused(seen_from(newer[0], older))] == ["c2"]


def test_a_third_member_takes_the_side_of_who_came_first() -> None:
    older = known_as(2, "100.64.2.0/24", created="2026-01-01T00:00:00Z")
    newer = known_as(3, "10.2.192.0/20", created="2026-01-02T00:00:00Z")
    planned = seen_from(known_as(4)[0], older, newer)
    assert [peer.cluster_id for peer in planned.peers] == ["c2"]
    assert refused(planned) == {"c3": "10.2.192.0/20 overlaps 10.2.0.0/16, which c2 uses inside"}


def test_a_global_range_among_nodes_is_refused() -> None:
    taker, its = known_as(2, "172.16.1.0/24")
    planned = plan_membership(OWN, [ip_address("172.16.1.10")], [taker], [its], drivers=DRIVERS)
    assert [*refused(planned)] == ["c2"]


def test_all_say_that_a_global_range_holds_a_gateway() -> None:
    older, newer = known_as(2), known_as(3, "172.16.2.0/25")
    assert refused(seen_from(newer[0], older)) == {"c2": "our 172.16.2.0/25 holds 172.16.2.10 of the gateway of c2"}
    third = seen_from(known_as(4)[0], older, newer)
    assert refused(third) == {"c3": "172.16.2.0/25 holds 172.16.2.10 of the gateway of c2"}
    assert [peer.cluster_id for peer in third.peers] == ["c2"]


@st.composite
def members(draw: st.DrawFn, number: int) -> tuple[Cluster, Endpoint]:
    """Draw a member whose ranges are often somebody's as well, with a global range or without."""
    pods, services = draw(st.lists(prefixes, min_size=2, max_size=2, unique=True))
    member = replace(
        cluster(number, created=draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]))),
        pod_cidrs=(pods,),
        service_cidrs=(services,),
        global_cidrs=tuple(draw(st.lists(prefixes, max_size=1))),
    )
    return member, endpoint(number, subnets=member.prefixes, created=member.created)


@given(members(2), members(3))
def test_of_two_members_both_refuse_or_neither(one: tuple[Cluster, Endpoint], other: tuple[Cluster, Endpoint]) -> None:
    assert bool(refused(seen_from(one[0], other))) == bool(refused(seen_from(other[0], one)))


@given(members(1), st.tuples(members(2), members(3), members(4)))
def test_whoever_is_connected_is_known_by_what_nobody_here_has(
    own: tuple[Cluster, Endpoint], others: tuple[tuple[Cluster, Endpoint], ...]
) -> None:
    here, planned = own[0], seen_from(own[0], *others)
    known_by = {peer.cluster_id: peer.subnets for peer in planned.peers}
    for left, right in combinations(known_by.values(), 2):
        assert not any(overlap(one, two) for one in left for two in right)
    for there, _ in others:
        if there.cluster_id in known_by:
            assert not any(overlap(ours, theirs) for ours in here.prefixes for theirs in there.used)
            assert not any(overlap(ours, theirs) for ours in here.used for theirs in there.prefixes)
