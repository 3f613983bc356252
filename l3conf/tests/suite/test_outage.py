"""Status timelines are judged against packets on one clock, and never against what nobody looked at."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.conditions import Version
from l3conf.plugin.outage import Outage, RoundTrip, _Recorder, disagreement, stale_claims
from l3conf.plugin.status_watch import Report

FRESH = 2.0
TIMES = st.floats(min_value=0, max_value=20, allow_nan=False)


def said(time: float, status: str) -> Report:
    return Report(time, "east", status)


def trips(*delivered: float, lost: tuple[float, ...] = ()) -> list[RoundTrip]:
    return [RoundTrip(time, delivered=True) for time in delivered] + [RoundTrip(time, delivered=False) for time in lost]


def test_a_claim_that_began_before_the_first_packet_is_not_held_against_anyone() -> None:
    assert stale_claims([said(0.0, "connected")], trips(0.01, 1.0), fresh=FRESH, until=2.0) == []


def test_a_claim_that_outlives_its_last_delivery_is_stale_from_then_on() -> None:
    found = stale_claims([said(0.0, "connected"), said(6.0, "error")], trips(0.1, 1.0), fresh=FRESH, until=9.0)
    assert found == [("east", 3.0, 6.0)]


def test_a_claim_without_any_delivery_is_stale_from_the_first_lost_packet() -> None:
    found = stale_claims([said(0.0, "connected")], trips(lost=(1.0, 2.0)), fresh=FRESH, until=5.0)
    assert found == [("east", 1.0, 5.0)]


def test_what_is_not_claimed_is_never_stale() -> None:
    reports = [said(0.0, "connecting"), said(1.0, "error")]
    assert stale_claims(reports, trips(lost=(0.5,)), fresh=FRESH, until=9.0) == []


@given(st.lists(TIMES, min_size=1, max_size=8), st.lists(TIMES, max_size=4))
def test_more_deliveries_never_make_a_claim_staler(first: list[float], more: list[float]) -> None:
    reports = [said(0.0, "connected")]

    def length(times: list[float]) -> float:
        begin = min(first)
        found = stale_claims(reports, trips(*times), fresh=FRESH, until=30.0)
        return sum(end - max(start, begin) for _cluster, start, end in found if end > begin)

    assert length([*first, *(time for time in more if time >= min(first))]) <= length(first) + 1e-9


def outage(*reports: Report, trips: tuple[RoundTrip, ...] = (), cut: float = 10, healed: float = 20) -> Outage:
    return Outage(
        source="east",
        destination="west",
        cut_at=cut,
        healed_at=healed,
        ended_at=30,
        reports=reports,
        round_trips=trips,
    )


def test_a_claim_is_covered_as_long_as_its_last_delivery_is_fresh() -> None:
    reports = [Report(0, "east", "connected"), Report(14, "east", "error")]
    trips = [RoundTrip(float(t), delivered=t < 10) for t in range(15)]
    assert stale_claims(reports, trips, fresh=5, until=30) == []
    assert stale_claims(reports, trips, fresh=4, until=30) == [("east", 13.0, 14)]


def test_a_claim_that_never_ends_is_followed_until_the_end() -> None:
    reports = [Report(0, "east", "connected")]
    trips = [RoundTrip(0, delivered=True), RoundTrip(1, delivered=False)]
    assert stale_claims(reports, trips, fresh=5, until=30) == [("east", 5, 30)]


def test_each_end_is_judged_by_itself() -> None:
    reports = [Report(0, "east", "error"), Report(0, "west", "connected")]
    lost = RoundTrip(1, delivered=False)
    assert [cluster for cluster, _, _ in stale_claims(reports, [lost], fresh=5, until=9)] == ["west"]


moments = st.lists(st.floats(0, 30), max_size=20)


@given(moments, st.floats(0.1, 10), st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=6))
def test_no_moment_of_a_stale_claim_has_a_fresh_delivery(
    delivered: list[float], fresh: float, said: list[tuple[float, bool]]
) -> None:
    reports = [Report(t, "east", "connected" if up else "error") for t, up in sorted(said)]
    trips = [RoundTrip(t, delivered=True) for t in delivered]
    for _, begin, end in stale_claims(reports, trips, fresh=fresh, until=30):
        middle = (begin + end) / 2
        assert not [t for t in delivered if t < middle < t + fresh]


@given(moments, st.floats(0.1, 5), st.floats(0.1, 5))
def test_more_patience_finds_no_more(delivered: list[float], fresh: float, more: float) -> None:
    reports, trips = [Report(0, "east", "connected")], [RoundTrip(t, delivered=True) for t in delivered]

    def total(patience: float) -> float:
        return sum(end - begin for _, begin, end in stale_claims(reports, trips, fresh=patience, until=30))

    assert total(fresh + more) <= total(fresh) + 1e-9


def test_loss_and_recovery_are_measured_from_cut_and_healing() -> None:
    seen = outage(
        Report(1, "east", "connected"),
        Report(13, "east", "error"),
        Report(22, "east", "connected"),
        trips=(RoundTrip(9, delivered=True), RoundTrip(11, delivered=False), RoundTrip(21, delivered=True)),
    )
    assert seen.connected_before("east")
    assert (seen.loss_reported("east"), seen.recovery_reported("east"), seen.packets_recovered) == (3, 2, 1)


def test_what_never_happens_takes_for_ever() -> None:
    seen = outage(Report(1, "east", "connected"), Report(12, "west", "error"))
    assert seen.loss_reported("east") == math.inf
    assert seen.recovery_reported("west") == math.inf
    assert seen.packets_recovered == math.inf
    assert not seen.connected_before("west")


def test_a_status_that_came_back_only_to_go_again_is_no_recovery() -> None:
    seen = outage(Report(1, "east", "connected"), Report(22, "east", "connected"), Report(25, "east", "error"))
    assert seen.recovery_reported("east") == math.inf


def test_a_claim_from_before_the_cut_counts_for_the_time_after_it() -> None:
    seen = outage(Report(1, "east", "connected"), trips=(RoundTrip(9, delivered=True),))
    (line,) = [line for line in seen.stale_claims(5) if "to 20.0 s" in line]
    assert line.startswith("east said connected from 4.0 s")


@pytest.mark.parametrize("until", [0.0, 30.0])
def test_no_reports_make_no_claims(until: float) -> None:
    assert stale_claims([], [RoundTrip(1, delivered=True)], fresh=1, until=until) == []


ENDS = ("east", "west")


def test_ends_that_change_together_never_disagree() -> None:
    reports = [Report(float(time), end, said) for time, said in ((0, "connected"), (5, "error")) for end in ENDS]
    assert disagreement(reports, ENDS, since=0, until=9) == 0


def test_a_disagreement_lasts_until_the_other_end_follows() -> None:
    both = [Report(0.0, end, "connected") for end in ENDS]
    reports = [*both, Report(3.0, "east", "error"), Report(7.0, "west", "connecting")]
    assert disagreement(reports, ENDS, since=0, until=9) == pytest.approx(4)


def test_a_disagreement_that_never_ends_is_followed_until_the_end() -> None:
    assert disagreement([Report(1.0, "east", "connected")], ENDS, since=2, until=9) == pytest.approx(7)


def written(time: float, cluster: str, name: str, connected: str) -> Version:
    """Return what a cluster's Gateway says of the other one, conditions included if there are any."""
    conditions = [{"type": "Connected", "status": connected}] if connected else []
    return Version(
        time, cluster, {"metadata": {"name": name}, "status": {"haStatus": "active", "conditions": conditions}}
    )


@pytest.mark.parametrize(
    ("status", "connected", "lost", "connects"),
    [
        ("error", ["False", "False"], True, False),
        ("error", ["False", "True"], False, False),  # conditions of one end come a moment later
        ("error", ["", ""], True, False),
        ("connected", ["True", "True"], False, True),
        ("connected", ["True", "False"], False, False),
        ("connected", ["", ""], False, True),
    ],
)
def test_an_end_has_said_something_when_status_and_conditions_have(
    status: str,
    connected: list[str],
    lost: bool,  # noqa: FBT001 - a table
    connects: bool,  # noqa: FBT001 - likewise
) -> None:
    versions = [
        written(0.0, cluster, "gateway", said) for cluster, said in zip(("east", "west"), connected, strict=True)
    ]
    watch: Any = SimpleNamespace(versions=versions, says_connected=lambda *_pairs: status == "connected")
    pods = SimpleNamespace(one_in_each=lambda *_clusters: (None, None))
    lab: Any = SimpleNamespace(pods=pods, families=[None])
    recorder = _Recorder(lab, watch, "east", "west")
    assert (recorder.says_lost, recorder.says_connected) == (lost, connects)
