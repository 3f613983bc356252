from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.health import Health, HealthTimings, PeerHealth, RoundTrips

TIMINGS = HealthTimings()


def test_a_peer_is_connected_only_after_an_answer() -> None:
    peer = PeerHealth(TIMINGS, since=0.0)
    sequence = peer.next_request(0.0)
    assert peer.state(0.0) is Health.CONNECTING
    assert sequence is not None
    assert peer.answered(sequence, 0.01)
    assert peer.state(0.01) is Health.CONNECTED


def test_a_peer_that_falls_silent_is_lost_within_its_time_and_comes_back_with_an_answer() -> None:
    peer = PeerHealth(TIMINGS, since=0.0)
    first = peer.next_request(0.0)
    assert first is not None
    peer.answered(first, 0.0)
    assert peer.state(TIMINGS.silence - 0.01) is Health.CONNECTED
    assert peer.state(TIMINGS.silence) is Health.LOST
    again = peer.next_request(TIMINGS.silence)
    assert again is not None
    peer.answered(again, TIMINGS.silence + 0.1)
    assert peer.state(TIMINGS.silence + 0.1) is Health.CONNECTED


def test_an_answer_counts_once_and_only_to_a_recent_request() -> None:
    peer = PeerHealth(TIMINGS, since=0.0)
    sequence = peer.next_request(0.0)
    assert sequence is not None
    assert not peer.answered(sequence + 1, 0.1)
    assert peer.answered(sequence, 0.1)
    assert not peer.answered(sequence, 0.2)
    old = peer.next_request(1.0)
    assert old is not None
    peer.next_request(1.0 + TIMINGS.silence)
    assert not peer.answered(old, 1.0 + TIMINGS.silence)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_requests_are_never_closer_than_the_interval(steps: list[float]) -> None:
    peer = PeerHealth(TIMINGS, since=0.0)
    now, sent = 0.0, []
    for step in steps:
        now += step
        if peer.next_request(now) is not None:
            sent.append(now)
    assert all(later - earlier > TIMINGS.first_interval - 1e-9 for earlier, later in pairwise(sent))


def test_who_does_not_answer_is_asked_less_and_less_often_and_never_less_than_others() -> None:
    peer = PeerHealth(TIMINGS, since=0.0)
    sent: list[float] = []
    while len(sent) < 100:
        now = peer.due()
        assert peer.next_request(now) is not None
        sent.append(now)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps[0] == pytest.approx(TIMINGS.first_interval)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(gaps))
    assert gaps[-1] == pytest.approx(TIMINGS.interval)
    assert sum(each < 5.0 for each in sent) <= 12


@given(st.lists(st.floats(1e-6, 10), min_size=1))
def test_statistics_are_those_of_all_round_trips(times: list[float]) -> None:
    trips = RoundTrips()
    for time in times:
        trips.add(time)
    assert (trips.last, trips.minimum, trips.maximum) == (times[-1], min(times), max(times))
    assert trips.average == pytest.approx(fmean(times))
    assert trips.deviation == pytest.approx(pstdev(times), abs=1e-6)


def test_requests_to_many_peers_come_to_leave_together() -> None:
    peers = [PeerHealth(TIMINGS, since=0.0) for _ in range(5)]
    for number, peer in enumerate(peers):
        sequence = peer.next_request(number * TIMINGS.slack / 5)
        assert sequence is not None
        peer.answered(sequence, number * TIMINGS.slack / 5)
    now = 0.0
    for _ in range(2):
        now = min(peer.due() for peer in peers)
        assert all(peer.next_request(now) is not None for peer in peers)
    assert {peer.due() for peer in peers} == {now + TIMINGS.interval}
