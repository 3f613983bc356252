"""Ranges of members that have gone are rejected for a while, and no longer than nobody claims them."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.departures import REJECTED, Departures
from reference_impl.planner.node import plan_node
from reference_impl.state import Direction, Rule
from reference_impl.tests.planner.facts import node_facts

WEST, NORTH, HALF = ip_network("10.2.0.0/16"), ip_network("10.3.0.0/16"), ip_network("10.2.128.0/17")
OWN = (ip_network("10.1.0.0/16"),)


def test_what_goes_is_rejected_for_a_while() -> None:
    departures = Departures()
    assert departures.look([WEST, NORTH], [], OWN, 0.0) == ()
    assert departures.look([NORTH], [], OWN, 1.0) == (WEST,)
    assert departures.look([NORTH], [], OWN, REJECTED + 0.9) == (WEST,)
    assert departures.look([NORTH], [], OWN, REJECTED + 1.0) == ()


def test_whoever_claims_a_part_of_it_is_not_rejected() -> None:
    departures = Departures()
    departures.look([WEST], [], OWN, 0.0)
    assert departures.look([], [], OWN, 1.0) == (WEST,)
    assert departures.look([HALF], [], OWN, 2.0) == ()
    assert departures.look([], [], OWN, 3.0) == (HALF,)


def test_an_agent_that_starts_takes_what_its_predecessor_left_as_departed() -> None:
    departures = Departures()
    assert departures.look([NORTH], [WEST, NORTH, *OWN], OWN, 5.0) == (WEST,)
    assert departures.look([NORTH], [WEST, NORTH], OWN, 5.0 + REJECTED) == ()
    assert departures.look([NORTH], [WEST], OWN, 6.0 + REJECTED) == (), "only the first look counts"


@given(st.lists(st.sets(st.sampled_from([WEST, NORTH, HALF])), max_size=8))
def test_nothing_that_is_claimed_or_our_own_is_ever_rejected(steps: list[set[object]]) -> None:
    departures = Departures()
    for now, known in enumerate(steps):
        rejected = departures.look(known, [*OWN], OWN, float(now))  # type: ignore[arg-type]
        claimed = (*known, *OWN)
        assert not any(one.overlaps(other) for one in rejected for other in claimed)  # type: ignore[arg-type]


def test_rejections_outlive_the_last_member_and_stand_beside_the_others() -> None:
    rejecting = Rule(direction=Direction.TO, prefix=WEST, rejects=True)
    alone = plan_node(node_facts(known=(), reachable=(), departed=(WEST,)))
    assert alone.rules == {rejecting}
    assert not alone.links
    assert not alone.routes
    assert rejecting in plan_node(node_facts(known=(NORTH,), reachable=(NORTH,), departed=(WEST,))).rules
