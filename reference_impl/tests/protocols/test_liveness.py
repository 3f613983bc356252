"""Neighbours are silent when they answer nobody, not when we asked nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.liveness import Liveness, LivenessTimings

TIMINGS = LivenessTimings(interval=0.125, patience=0.125)
"""Sums of these are exact in binary."""


def _asked(times: int, *, answering: int, began: float = 0.0) -> tuple[Liveness, float]:
    """Return a neighbour that was asked so many times and answered the first of them, and the time of the last."""
    neighbour, now = Liveness(TIMINGS), began
    for number in range(times):
        now = began + number * TIMINGS.interval
        sequence = neighbour.next_request(now)
        assert sequence is not None
        if number < answering:
            neighbour.answered(sequence)
    return neighbour, now


def test_four_requests_in_a_row_without_an_answer_are_silence() -> None:
    neighbour, last = _asked(10, answering=6)
    assert not neighbour.is_silent(last)
    assert neighbour.is_silent(last + TIMINGS.patience)
    assert not neighbour.lives(last + TIMINGS.patience)


def test_silence_is_seen_within_half_a_second_of_the_last_answer() -> None:
    neighbour, last = _asked(5, answering=1)
    assert neighbour.is_silent(last + TIMINGS.patience)
    times = LivenessTimings()
    assert times.misses * times.interval + times.patience <= 0.5 + 1e-9


def test_who_never_answered_is_not_accused() -> None:
    neighbour, last = _asked(20, answering=0)
    assert not neighbour.is_silent(last + 10)
    assert not neighbour.lives(last + 10)


def test_an_answer_that_comes_late_ends_silence() -> None:
    neighbour, last = _asked(8, answering=4)
    assert neighbour.is_silent(last + 1)
    neighbour.answered(8)
    assert not neighbour.is_silent(last + 1)
    assert neighbour.lives(last + 1)


def test_an_answer_to_nothing_says_nothing() -> None:
    neighbour, last = _asked(8, answering=4)
    neighbour.answered(2)
    neighbour.answered(999)
    assert neighbour.is_silent(last + 1)


@given(held_up=st.floats(0.2, 1000))
def test_who_was_held_up_himself_accuses_nobody(held_up: float) -> None:
    """However long this process did not run: at most one request was unanswered for that time."""
    neighbour, last = _asked(3, answering=2)
    assert not neighbour.is_silent(last + held_up)
    assert neighbour.next_request(last + held_up) is not None
    assert not neighbour.is_silent(last + held_up)


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1249])
def test_nobody_is_asked_before_the_interval_is_over(pause: float) -> None:
    neighbour, last = _asked(1, answering=1)
    assert neighbour.next_request(last + pause) is None
    assert neighbour.due() == pytest.approx(last + TIMINGS.interval)
