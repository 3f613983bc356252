"""What is said of peers that do not answer: which direction is lost, and what they will never get over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.agents.findings import Findings
from reference_impl.planner.arrivals import WINDOW, Arrivals
from reference_impl.planner.obstacles import PATIENCE, find_obstacle
from reference_impl.planner.status import PeerReport, gateway_status
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.state import Count
from reference_impl.tests.planner.facts import endpoint

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint

OWN, PEER = endpoint(1), endpoint(2)


def report(health: Health = Health.CONNECTING, version: int = 4) -> PeerReport:
    return PeerReport(endpoint=PEER, health=health, silent_for=PATIENCE, round_trips=RoundTrips(), version=version)


def reading(packets: int) -> dict[str, Count]:
    return {"rx": Count(packets=packets)}


def test_nothing_is_said_of_arrivals_before_they_could_be_seen() -> None:
    arrivals = Arrivals()
    assert arrivals.due(0.0)
    arrivals.saw(reading(5), 0.0)
    assert not arrivals.due(0.5)
    assert arrivals.arriving("rx", WINDOW / 2) is None
    assert arrivals.arriving("other", WINDOW) is None


@given(st.lists(st.integers(0, 9), min_size=2, max_size=9))
def test_what_counts_up_arrives_and_what_stands_still_does_not(counts: list[int]) -> None:
    arrivals, now = Arrivals(), 0.0
    for packets in counts:
        arrivals.saw(reading(packets), now)
        now += WINDOW
    grew = counts[-1] > counts[-2] or 0 < counts[-1] < counts[-2]
    assert arrivals.arriving("rx", now - WINDOW) is grew


@pytest.mark.parametrize(
    ("health", "silent_for", "crosses"),
    [
        (Health.CONNECTED, PATIENCE, False),
        (Health.LOST, PATIENCE, False),
        (Health.CONNECTING, PATIENCE - 1, False),
        (Health.CONNECTING, PATIENCE, True),
    ],
)
def test_only_a_peer_that_never_answered_a_driver_that_needs_its_address_has_an_obstacle(
    health: Health, silent_for: float, *, crosses: bool
) -> None:
    assert find_obstacle(OWN, PEER, health, silent_for, crosses_nat=crosses, strangers=True) is None


@pytest.mark.parametrize(
    ("own", "peer", "strangers", "reason"),
    [
        (OWN, PEER, False, "NoAnswer"),
        (OWN, PEER, True, "NATNotCrossed"),
        (replace(OWN, nat_enabled=True), PEER, False, "NATNotCrossed"),
        (OWN, replace(PEER, nat_enabled=True), False, "NATNotCrossed"),
    ],
)
def test_a_nat_is_named_where_there_are_signs_of_one(
    own: Endpoint, peer: Endpoint, reason: str, *, strangers: bool
) -> None:
    found = find_obstacle(own, peer, Health.CONNECTING, PATIENCE, crosses_nat=False, strangers=strangers)
    assert found is not None
    assert (found.reason, "cable driver vxlan" in found.message) == (reason, True)


def test_an_obstacle_is_an_error_with_its_reason_everywhere() -> None:
    found = find_obstacle(OWN, PEER, Health.CONNECTING, PATIENCE, crosses_nat=False, strangers=True)
    assert found is not None
    peers = Findings(failure="", obstacles={PEER.cluster_id: found}).about([report()])
    status = gateway_status(version="1", active=True, local=OWN, peers=peers, refusals=(), failure="")
    (entry,) = status["connections"]
    assert entry["status"] == "error"
    assert entry["statusMessage"].startswith("NATNotCrossed: ")
    (connected,) = [one for one in status["conditions"] if one.type == "Connected"]
    assert (connected.status, connected.reason) == ("False", "NATNotCrossed")


@pytest.mark.parametrize(
    ("arriving", "words"), [(True, "ours are lost"), (False, "nothing arrives from it"), (None, "no answer")]
)
def test_the_direction_that_is_lost_is_named(words: str, *, arriving: bool | None) -> None:
    found = {} if arriving is None else {PEER.cluster_id: arriving}
    peers = Findings(failure="", arriving=found).about([report(Health.LOST)])
    status = gateway_status(version="1", active=True, local=OWN, peers=peers, refusals=(), failure="")
    assert words in status["connections"][0]["statusMessage"]


def test_a_peer_that_answers_in_one_version_says_nothing_of_directions_in_the_other() -> None:
    both = [report(Health.CONNECTED), report(Health.LOST, version=6)]
    peers = Findings(failure="", arriving={PEER.cluster_id: True}).about(both)
    assert [peer.arriving for peer in peers] == [None, None]
