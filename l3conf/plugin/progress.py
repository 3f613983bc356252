"""What a run has said so far, read from the workers' event files while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.report.events import HarnessFailed, HookCalled, RunStarted, TestFinished, read_all_events
from l3conf.verdict import Verdict, judge_test, judge_tests

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from l3conf.report.events import Event


@dataclass(frozen=True, slots=True)
class RowResult:
    """A requirement whose tests have all ended."""

    row: str
    verdict: Verdict
    message: str
    """First line of what went wrong; empty if nothing did."""
    seconds: float


@dataclass(slots=True)
class Progress:
    """Reads the same files again and again, and tells each finished row once."""

    directory: Path
    told: set[str] = field(default_factory=set)

    def news(self) -> list[RowResult]:
        """Return the rows that have finished since the last call."""
        events = [event for file in read_all_events(self.directory) for event in file.events]
        found = [result for result in finished_rows(events) if result.row not in self.told]
        self.told.update(result.row for result in found)
        return found


def finished_rows(events: Iterable[Event]) -> list[RowResult]:
    """Return the rows all of whose collected tests have ended, in the order of their ids."""
    collected: dict[str, list[str]] = {}
    phases: dict[str, list[TestFinished]] = {}
    for event in events:
        if isinstance(event, RunStarted):
            collected |= event.tests
        elif isinstance(event, TestFinished):
            phases.setdefault(event.test, []).append(event)
    by_row: dict[str, list[str]] = {}
    for test, rows in collected.items():
        for row in rows:
            by_row.setdefault(row, []).append(test)
    return [_result(row, by_row[row], phases) for row in sorted(by_row) if all(test in phases for test in by_row[row])]


def trouble(events: Iterable[Event]) -> list[str]:
    """Return what broke outside any test."""
    lines = []
    for event in events:
        if isinstance(event, HarnessFailed):
            lines.append(event.message)
        elif isinstance(event, HookCalled) and event.message:
            lines.append(f"hook {event.verb} {event.cluster}: {event.message}")
    return lines


def _result(row: str, tests: list[str], phases: dict[str, list[TestFinished]]) -> RowResult:
    verdicts = [judge_test(Verdict(phase.outcome) for phase in phases[test]) for test in tests]
    messages = [phase.message for test in tests for phase in phases[test] if phase.message]
    return RowResult(
        row=row,
        verdict=judge_tests(verdicts),
        message=messages[0].splitlines()[0] if messages else "",
        seconds=sum(phase.seconds for test in tests for phase in phases[test]),
    )
