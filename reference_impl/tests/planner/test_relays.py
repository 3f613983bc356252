from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import PUBLIC_KEY
from reference_impl.nft_script import render
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.relays import Reach, Relays, plan_relays, reach_of, relayed
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint
from reference_impl.tests.planner.test_wireguard import OWN_KEY, key

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint

NAMES = ("c2", "c3", "c4", "c5", "c6")
names = st.frozensets(st.sampled_from(NAMES))


def member(number: int, reach: Reach | None = None) -> Endpoint:
    parameters = {PUBLIC_KEY: key(number), **(reach.parameters if reach else {})}
    return endpoint(number, backend="wireguard", parameters=frozenset(parameters.items()))


def reach(reached: str, unreached: str) -> Reach:
    return Reach(
        reached=frozenset(f"c{number}" for number in reached), unreached=frozenset(f"c{number}" for number in unreached)
    )


EAST, WEST, NORTH = member(2, reach("4", "3")), member(3, reach("4", "2")), member(4, reach("23", ""))


def test_a_pair_that_fails_both_ways_goes_through_the_one_that_both_reach() -> None:
    assert plan_relays(EAST, (WEST, NORTH)).via == {"c3": "c4"}
    assert plan_relays(WEST, (EAST, NORTH)).via == {"c2": "c4"}
    assert plan_relays(NORTH, (EAST, WEST)) == Relays(between=frozenset({("c2", "c3")}))


def test_one_end_alone_cannot_ask() -> None:
    west = member(3, reach("4", ""))
    assert plan_relays(EAST, (west, NORTH)) == Relays()
    assert plan_relays(NORTH, (EAST, west)) == Relays()


def test_a_member_that_says_nothing_takes_no_part() -> None:
    assert plan_relays(EAST, (WEST, member(4))) == Relays()
    assert plan_relays(member(4), (EAST, WEST)) == Relays()


def test_what_is_published_is_read() -> None:
    assert reach_of(EAST) == reach("4", "3")
    assert reach_of(endpoint(2)) == Reach()


@given(st.lists(st.builds(Reach, reached=names, unreached=names), min_size=5, max_size=5), st.permutations(range(5)))
def test_all_three_come_to_the_same_whatever_the_order(reaches: list[Reach], order: list[int]) -> None:
    members = [member(number + 2, each) for number, each in enumerate(reaches)]
    plans = {
        each.cluster_id: plan_relays(each, [members[index] for index in order if members[index] is not each])
        for each in members
    }
    for one, other in combinations(sorted(plans), 2):
        relay = plans[one].via.get(other)
        assert plans[other].via.get(one) == relay
        carrying = [name for name, plan in plans.items() if (one, other) in plan.between]
        assert carrying == ([relay] if relay else [])
        if relay:
            assert relay not in {one, other}
            asked = [reach_of(each).unreached for each in members if each.cluster_id in {one, other}]
            assert {one, other} <= asked[0] | asked[1]
            assert {one, other} <= reach_of(next(each for each in members if each.cluster_id == relay)).reached


def plan(relays: Relays, *peers: Endpoint):  # type: ignore[no-untyped-def] # noqa: ANN201
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0), relays=relays)
    return plan_cables(facts, DriverSet((WireGuardCables(OWN_KEY),)))


def test_what_is_behind_a_relay_is_the_relay_s_to_send_and_nobody_else_s() -> None:
    planned = {each.public_key: each.allowed for each in plan(Relays(via={"c3": "c4"}), WEST, NORTH).peers}
    assert planned == {key(3): frozenset(), key(4): frozenset((*WEST.subnets, *NORTH.subnets))}


def test_a_peer_behind_a_relay_is_still_called_at_its_own_address() -> None:
    planned = {each.public_key: each.endpoint for each in plan(Relays(via={"c3": "c4"}), WEST, NORTH).peers}
    assert planned[key(3)] == (WEST.private_ip, 4500)


def test_a_relay_forwards_between_that_pair_and_no_other() -> None:
    text = render(plan(Relays(between=frozenset({("c2", "c3")})), EAST, WEST, NORTH).ruleset)
    rules = [line.partition(" from-submariner ")[2] for line in text.splitlines() if "add rule" in line]
    lines = [rule for rule in rules if "accept" in rule]
    assert lines == [
        "ip saddr { 10.102.0.0/16, 10.2.0.0/16 } ip daddr { 10.103.0.0/16, 10.3.0.0/16 } counter accept",
        "ip saddr { 10.103.0.0/16, 10.3.0.0/16 } ip daddr { 10.102.0.0/16, 10.2.0.0/16 } counter accept",
    ]
    assert "accept" not in render(plan(Relays(), EAST, WEST).ruleset).replace("policy accept", "")


def test_status_names_the_relay() -> None:
    west, north = relayed((WEST, NORTH), Relays(via={"c3": "c4"}))
    assert west.tunnel_address == NORTH.private_ip
    assert west.way is not None
    assert (west.way.reason, "c4" in west.way.message) == ("Relayed", True)
    assert north == NORTH
