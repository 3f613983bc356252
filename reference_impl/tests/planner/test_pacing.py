from __future__ import annotations

from reference_impl.planner.pacing import BURST, EVERY, Pace


def test_a_noisy_object_is_written_in_a_burst_and_then_now_and_then() -> None:
    pace = Pace()
    written = [moment / 100 for moment in range(1000) if pace.may("noisy", moment / 100)]
    assert len([moment for moment in written if moment < EVERY / 2]) == BURST
    assert len(written) in range(BURST + 8, BURST + 11), "a hundred times a second for ten seconds"


def test_others_are_written_all_the_same() -> None:
    pace = Pace()
    for _ in range(100):
        pace.may("noisy", 0.0)
    assert pace.may("quiet", 0.0)


def test_what_was_skipped_has_its_time() -> None:
    pace = Pace()
    assert pace.due(0.0) is None
    while pace.may("noisy", 0.0):
        pass
    wait = pace.due(0.0)
    assert wait is not None
    assert pace.may("noisy", wait)
    assert pace.due(100.0) is None
