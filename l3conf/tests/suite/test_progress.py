from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.plugin.progress import Progress, finished_rows, trouble
from l3conf.report.events import EventWriter, HarnessFailed, HookCalled, RunStarted, TestFinished
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.report.events import Event

STARTED = RunStarted(tests={"t1": ["L3-F1"], "t2": ["L3-F1"], "t3": ["L3-F2"]})


def finished(test: str, row: str, outcome: Verdict, message: str = "") -> TestFinished:
    return TestFinished(test=test, rows=[row], outcome=outcome.value, message=message, seconds=1.0)


def test_a_row_is_told_when_all_its_tests_have_ended() -> None:
    events: list[Event] = [STARTED, finished("t1", "L3-F1", Verdict.PASS), finished("t3", "L3-F2", Verdict.PASS)]
    assert [result.row for result in finished_rows(events)] == ["L3-F2"]
    events.append(finished("t2", "L3-F1", Verdict.FAIL, "first line\nsecond"))
    (row, _) = finished_rows(events)
    assert (row.row, row.verdict, row.message, row.seconds) == ("L3-F1", Verdict.FAIL, "first line", 2.0)


def test_an_error_in_one_phase_outranks_what_another_said() -> None:
    events: list[Event] = [
        STARTED,
        finished("t3", "L3-F2", Verdict.PASS),
        finished("t3", "L3-F2", Verdict.ERROR, "teardown"),
    ]
    (row,) = finished_rows(events)
    assert row.verdict is Verdict.ERROR


def test_each_row_is_news_once(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    with EventWriter(tmp_path / "gw0.jsonl") as writer:
        writer.write(STARTED)
        assert progress.news() == []
        writer.write(finished("t3", "L3-F2", Verdict.PASS))
        assert [result.row for result in progress.news()] == ["L3-F2"]
        assert progress.news() == []


def test_trouble_outside_of_tests_is_told() -> None:
    hook = HookCalled(verb="join", cluster="east", exit_code=1, seconds=0.1, message="exit code 1")
    fine = HookCalled(verb="deploy", cluster="", exit_code=0, seconds=0.1)
    assert trouble([HarnessFailed(message="lab gone"), hook, fine]) == ["lab gone", "hook join east: exit code 1"]
