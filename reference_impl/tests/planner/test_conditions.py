"""Conditions keep their times, and say the worst."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.conditions import (
    Condition,
    gateway_conditions,
    peer_conditions,
    stamped,
    with_forgery,
)
from reference_impl.planner.membership import Refusal
from reference_impl.planner.status import PeerReport
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.tests.planner.facts import endpoint

CONDITIONS = st.builds(
    Condition,
    type=st.sampled_from(["Accepted", "Programmed", "Connected"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["One", "Other"]),
)
SETS = st.lists(CONDITIONS, unique_by=lambda condition: condition.type)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def report(number: int, health: Health) -> PeerReport:
    return PeerReport(endpoint=endpoint(number), health=health, silent_for=1.0, round_trips=RoundTrips())


def status_of(conditions: tuple[Condition, ...], kind: str) -> str:
    return next(condition.status for condition in conditions if condition.type == kind)


@given(SETS, SETS)
def test_a_time_changes_exactly_when_the_status_does(before: list[Condition], after: list[Condition]) -> None:
    first = {entry["type"]: entry for entry in stamped(before, None, now="then")}
    for entry in stamped(after, list(first.values()), now="now"):
        same = entry["type"] in first and first[entry["type"]]["status"] == entry["status"]
        assert entry["lastTransitionTime"] == ("then" if same else "now")


@given(SETS, ANYTHING)
def test_what_somebody_else_wrote_there_does_no_harm(wanted: list[Condition], before: object) -> None:
    assert [entry["type"] for entry in stamped(wanted, before, now="now")] == sorted(one.type for one in wanted)


def test_a_gateway_is_connected_when_all_of_its_peers_are() -> None:
    well, lost = report(2, Health.CONNECTED), report(3, Health.LOST)
    for peers, status in (([well], "True"), ([well, lost], "False"), ([], "Unknown")):
        conditions = gateway_conditions(active=True, peers=peers, refusals=(), failure="")
        assert status_of(conditions, "Connected") == status


def test_the_three_answers_are_independent() -> None:
    peer = report(2, Health.LOST)
    assert [(one.type, one.status) for one in peer_conditions(peer, "")] == [
        ("Accepted", "True"),
        ("Programmed", "True"),
        ("Connected", "False"),
    ]
    assert status_of(peer_conditions(peer, "no such device"), "Programmed") == "False"


def test_one_reason_for_all_refusals_is_the_gateways_reason() -> None:
    refusal = Refusal(cluster_id="west", reason="OverlappingCIDR", message="10.1.0.0/16 overlaps")
    conditions = gateway_conditions(active=True, peers=(), refusals=(refusal,), failure="")
    assert next(one for one in conditions if one.type == "Accepted").reason == "OverlappingCIDR"
    other = replace(refusal, cluster_id="south", reason="DriverMismatch")
    conditions = gateway_conditions(active=True, peers=(), refusals=(refusal, other), failure="")
    assert next(one for one in conditions if one.type == "Accepted").reason == "MembersRefused"


def test_a_cable_that_works_in_part_is_not_connected() -> None:
    part = replace(report(2, Health.CONNECTED), lacking="10.102.0.0/16 has no tunnel")
    found = next(one for one in peer_conditions(part, "") if one.type == "Connected")
    assert (found.status, found.reason, found.message) == ("False", "PartOfCableDown", "10.102.0.0/16 has no tunnel")


def test_whoever_has_a_wrong_secret_is_said_to_unless_a_round_trip_says_otherwise() -> None:
    for health, reason in (
        (Health.CONNECTED, "RoundTripConfirmed"),
        (Health.CONNECTING, "AuthenticationFailed"),
        (Health.LOST, "AuthenticationFailed"),
    ):
        peer = replace(report(2, health), impostor="whoever answers there does not have its key")
        (connected,) = [one for one in peer_conditions(peer, "") if one.type == "Connected"]
        assert connected.reason == reason
        assert (peer.state is Health.LOST) == (health is not Health.CONNECTED)


def test_a_member_that_wrote_in_another_name_is_not_accepted_and_keeps_its_connection() -> None:
    forgery = Refusal(cluster_id="c2", reason="AuthenticationFailed", message="it wrote Endpoint x in the name of c3")
    conditions = with_forgery(peer_conditions(report(2, Health.CONNECTED), ""), forgery)
    assert [(one.type, one.status) for one in sorted(conditions, key=lambda one: one.type)] == [
        ("Accepted", "False"),
        ("Connected", "True"),
        ("Programmed", "True"),
    ]
    said = gateway_conditions(active=True, peers=(), refusals=(), failure="", forgeries=(forgery,))
    assert [(one.status, one.reason) for one in said if one.type == "Accepted"] == [("False", "AuthenticationFailed")]
    assert "c2" in next(one.message for one in said if one.type == "Accepted")
