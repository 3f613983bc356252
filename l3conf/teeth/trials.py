"""Run trials, a few at a time, each in a pytest process with labs of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from l3conf.plugin.forked import ForkedRun, fork, preload
from l3conf.plugin.options import Evidence
from l3conf.plugin.process import Selection, end, sigterm_interrupts
from l3conf.report.events import TestFinished, read_all_events
from l3conf.report.output import EVENTS
from l3conf.teeth.matrix import TrialResult, corrected
from l3conf.verdict import Verdict, judge_test, judge_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

AT_ONCE = 3
"""Trials that run side by side: one more than the smallest machine of CI has CPUs, since they wait half the time."""
TIGHT = MappingProxyType(
    {
        "T_join": 10.0,
        "T_fresh": 5.0,
        "T_recover": 10.0,
        "T_leave": 5.0,
        "T_allocate": 10.0,
        "T_reconcile": 20.0,
        "T_remove": 6.0,
        "T_upgrade": 30.0,
        "W_idle": 6.0,
    }
)
"""Budgets of trials in seconds: a mutant must not cost a minute. The control shows that they can be kept."""
_LOOK = 0.1
_LOG_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One implementation with one switch, and the rows it is tried on."""

    name: str
    implementation: Path
    rows: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    topology: str = ""
    """To which it is restricted, if to any."""


@dataclass(slots=True)
class _Running:
    trial: Trial
    folder: Path
    process: ForkedRun
    began: float


def run_trials(
    trials: Iterable[Trial], told: Callable[[TrialResult], None], *, seed: int, at_once: int = AT_ONCE
) -> list[TrialResult]:
    """Run all trials and return their results in the order in which they ended; ``told`` hears of each at once.

    Whatever ends this early, Ctrl-C and SIGTERM included, ends the labs of all trials.
    """
    preload()
    waiting = deque(trials)
    running: list[_Running] = []
    results: list[TrialResult] = []
    with sigterm_interrupts():
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running.append(_start(waiting.popleft(), seed))
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    results.append(_collect(one))
                    told(results[-1])
                time.sleep(_LOOK)
        finally:
            for one in running:
                end(one.process)
                shutil.rmtree(one.folder, ignore_errors=True)
    return results


def look_again(
    trials: Iterable[Trial],
    results: Iterable[TrialResult],
    doubts: Mapping[str, Sequence[str]],
    told: Callable[[TrialResult], None],
    *,
    seed: int,
) -> list[TrialResult]:
    """Try the doubtful rows of trials once more, one trial at a time, and return all results with what came of it.

    Several labs on few processors can miss the tight budgets of trials; by itself a lab keeps them. What is still
    wrong then is a finding.
    """
    again = [replace(trial, rows=tuple(doubts[trial.name])) for trial in trials if trial.name in doubts]
    second = {result.name: result for result in run_trials(again, told, seed=seed, at_once=1)}
    return [corrected(first, second[first.name]) if first.name in second else first for first in results]


def _start(trial: Trial, seed: int) -> _Running:
    folder = Path(tempfile.mkdtemp(prefix="l3conf-teeth-"))
    selection = Selection(
        implementation=trial.implementation,
        output=folder / "report",
        seed=seed,
        rows=trial.rows,
        budgets=TIGHT,
        hook_env=trial.env,
        topologies=(trial.topology,) if trial.topology else (),
        brief=True,
        evidence=Evidence.NONE,
    )
    # One failure is all that a single row can show.
    enough = ("--maxfail", "1") if trial.env and len(trial.rows) == 1 else ()
    with (folder / "log").open("wb") as log:
        return _Running(trial, folder, fork(selection, log, folder, "-q", "--tb=line", *enough), time.monotonic())


def _collect(one: _Running) -> TrialResult:
    """Read what a trial recorded, and remove its folder."""
    events = [event for file in read_all_events(one.folder / "report" / EVENTS) for event in file.events]
    finished = [event for event in events if isinstance(event, TestFinished)]
    log = (one.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    shutil.rmtree(one.folder, ignore_errors=True)
    messages = _messages(finished)
    if not finished:
        messages = dict.fromkeys(one.trial.rows, " | ".join(log[-_LOG_LINES:]))
    return TrialResult(
        name=one.trial.name,
        verdicts={row: _verdict(row, finished) for row in one.trial.rows},
        messages=messages,
        seconds=time.monotonic() - one.began,
    )


def _verdict(row: str, finished: Iterable[TestFinished]) -> Verdict:
    tests: dict[str, list[Verdict]] = {}
    for event in finished:
        if row in event.rows:
            tests.setdefault(event.test, []).append(Verdict(event.outcome))
    return judge_tests(judge_test(phases) for phases in tests.values())


def _messages(finished: Iterable[TestFinished]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in finished:
        for row in event.rows:
            if event.message:
                found.setdefault(row, event.message.splitlines()[0])
    return found
