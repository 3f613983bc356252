from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.tests.suite.conftest import SlowMotion
from l3conf.wait import LATE_WINDOW, LONGEST_PAUSE, Bound, DeadlineMissedError, Pending, Waited, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET = Bound("T_test", 5.0)


def true_after(motion: SlowMotion, seconds: float) -> Callable[[], str | Pending]:
    due = motion.now() + seconds
    return lambda: "done" if motion.now() >= due else Pending("not yet")


def test_a_condition_that_holds_is_not_waited_for() -> None:
    motion = SlowMotion()
    began = motion.now()
    assert wait_until("it", lambda: "done", BUDGET, clock=motion.clock) == "done"
    assert motion.now() == began


@given(st.floats(0, BUDGET.seconds - LONGEST_PAUSE))
def test_a_condition_that_comes_true_in_time_passes_and_is_measured(seconds: float) -> None:
    motion, waited = SlowMotion(), list[Waited]()
    wait_until("it", true_after(motion, seconds), BUDGET, record=waited.append, clock=motion.clock)
    (measured,) = waited
    assert measured.in_time
    assert seconds - 1e-6 <= measured.took <= seconds + LONGEST_PAUSE + 1e-6


@given(st.floats(BUDGET.seconds + 0.01, BUDGET.seconds + LATE_WINDOW - LONGEST_PAUSE))
def test_a_late_success_is_a_finding_of_its_own(seconds: float) -> None:
    motion, waited = SlowMotion(), list[Waited]()
    late = r"it: came true \d\.\d s after the deadline \(T_test = 5 s\); what was missing until then: not yet"
    with pytest.raises(DeadlineMissedError, match=late):
        wait_until("it", true_after(motion, seconds), BUDGET, record=waited.append, clock=motion.clock)
    assert waited[0].held
    assert not waited[0].in_time


def test_a_condition_that_never_holds_ends_within_two_seconds_of_its_budget() -> None:
    motion = SlowMotion()
    began = motion.now()
    with pytest.raises(DeadlineMissedError, match=r"not true within T_test = 5 s; no route") as caught:
        wait_until("it", lambda: Pending("no route"), BUDGET, clock=motion.clock)
    assert motion.now() - began < BUDGET.seconds + 2
    assert caught.value.last == Pending("no route")


def test_a_budget_may_count_from_an_earlier_moment() -> None:
    motion = SlowMotion()
    with pytest.raises(DeadlineMissedError, match=r"came true 0\.[5-9] s after"):
        wait_until("it", true_after(motion, 1.0), BUDGET, clock=motion.clock, started=motion.now() - 4.5)


def test_pauses_grow_but_stay_short() -> None:
    motion, times = SlowMotion(), list[float]()

    def look() -> str | Pending:
        times.append(motion.now())
        return Pending("x")

    with pytest.raises(DeadlineMissedError):
        wait_until("it", look, BUDGET, clock=motion.clock)
    pauses = [round(later - sooner, 6) for sooner, later in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_errors_of_the_look_pass_through() -> None:
    def look() -> str | Pending:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        wait_until("it", look, BUDGET)
