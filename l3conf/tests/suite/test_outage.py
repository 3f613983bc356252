"""Status timelines are judged against packets on one clock, and never against what nobody looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.outage import Report, RoundTrip, stale_claims

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
