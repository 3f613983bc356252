from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.reach import Directly, DirectReach, ReachTimings

TIMINGS = ReachTimings()
SILENT = {"confirmed": False, "answers": False, "heard": False}


def machine() -> DirectReach:
    return DirectReach(TIMINGS, 0.0)


def test_a_tunnel_that_forms_slowly_is_not_given_up() -> None:
    reach = machine()
    assert reach.look(TIMINGS.forming - 0.1, **SILENT) is Directly.UNDECIDED
    assert reach.look(TIMINGS.forming, **SILENT) is Directly.UNREACHED


def test_any_sign_of_the_direct_way_postpones_giving_up() -> None:
    for sign in ("answers", "heard"):
        reach = machine()
        reach.look(TIMINGS.forming - 0.1, **{**SILENT, sign: True})
        assert reach.look(TIMINGS.forming, **SILENT) is Directly.UNDECIDED


def test_a_way_that_worked_is_given_up_late_and_taken_back_at_once() -> None:
    reach = machine()
    assert reach.look(1.0, **{**SILENT, "confirmed": True}) is Directly.REACHED
    assert reach.look(TIMINGS.lost, **SILENT) is Directly.REACHED
    assert reach.look(1.0 + TIMINGS.lost, **SILENT) is Directly.UNREACHED
    assert reach.look(30.0, **{**SILENT, "answers": True}) is Directly.UNDECIDED
    assert reach.look(31.0, **{**SILENT, "confirmed": True}) is Directly.REACHED


def test_a_session_that_outlives_its_path_brings_nothing_back() -> None:
    reach = machine()
    reach.look(1.0, **{**SILENT, "confirmed": True})
    assert reach.look(1.0 + TIMINGS.lost, **{**SILENT, "heard": True}) is Directly.UNREACHED


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans(), st.booleans(), st.booleans())))
def test_nothing_is_unreached_while_round_trips_are_confirmed(story: list[tuple[float, bool, bool, bool]]) -> None:
    reach, now = machine(), 0.0
    for pause, confirmed, answers, heard in story:
        now += pause
        state = reach.look(now, confirmed=confirmed, answers=answers, heard=heard)
        assert not (confirmed and state is not Directly.REACHED)
        assert not (answers and state is Directly.UNREACHED)
