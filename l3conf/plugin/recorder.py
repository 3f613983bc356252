"""What one worker records of its tests: events, and evidence of what failed."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabGoneError
from l3conf.plugin.collection import LATE, arrange, group_of, lab_of, late_tests, patience
from l3conf.plugin.expected_seconds import LONG, seconds_of_lab, seconds_of_test
from l3conf.plugin.marks import requirements_of, rows_of, topology_of
from l3conf.plugin.options import Evidence
from l3conf.plugin.portions import Timed, portioned
from l3conf.plugin.standing import ground_of, out_of_place
from l3conf.plugin.time_limits import leave_room
from l3conf.report.events import HarnessFailed, RunStarted, TestFinished, TestRepeated, WorkerFinished
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from l3conf.plugin.lab import Lab
    from l3conf.plugin.pool import LabPool
    from l3conf.plugin.run import Run
    from l3conf.plugin.second_try import SecondTry
    from l3conf.plugin.stages import Once

_DISPROOFS = (AssertionError, pytest.fail.Exception)
"""Exceptions by which a test says that a requirement does not hold. Every other one is a fault of the harness."""


class Recorder:
    """Plugin object of a worker, or of the only process of a run without workers."""

    def __init__(self, run: Run, pool: Once[LabPool], second_try: SecondTry) -> None:
        self._run = run
        self._pool = pool
        self._second_try = second_try
        # The causes are kept beside their evidence, so that no later exception can have the id of one of them.
        self._gathered: dict[int, tuple[BaseException, list[str]]] = {}
        self._began, self._told = 0.0, 0
        self._waiting: Counter[str] = Counter()
        """Tests that are still to come, by group. Every worker counts all of them: a group goes to one worker."""
        self._groups: dict[str, Timed] = {}
        """By test: its group, and what it is expected to take."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Filter, order and group the scenarios, before any other plugin leaves some of them out."""
        self._leave_out(config, items)
        known = self._run.options.implementation is not None
        declared = self._run.claims.features | self._run.claims.profiles if known else None
        tests = arrange(items, self._run.options, config, declared)
        self._run.patient = patience(items)
        leave_room(filter(rows_of, items), config, self._run.options.budgets)
        self._groups = self._portions(config, [item for item in items if rows_of(item)])
        self._waiting = Counter(map(self._needed, filter(rows_of, items)))
        if tests:
            self._run.emit(RunStarted(tests=tests))
            self._share_groups(config)

    def _leave_out(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is no part of its rows on the ground of this run."""
        if not any(map(rows_of, items)):
            return
        strange = out_of_place(items, ground_of(self._run.options, self._run.root))
        if strange:
            config.hook.pytest_deselected(items=strange)
            items[:] = [item for item in items if item not in strange]

    def _portions(self, config: pytest.Config, scenarios: list[pytest.Item]) -> dict[str, Timed]:
        """Return the group of every scenario and its expected seconds, those of the lab included in its first one's."""
        late, labs, timed = late_tests(scenarios), set[str](), list[Timed]()
        for item in scenarios:
            group, seconds = group_of(item, late), 0.0
            if all(map(self._run.claims.cover, requirements_of(item))):
                seconds += seconds_of_test(item, self._run.options.budgets)
            if group not in labs and item not in late:
                seconds += seconds_of_lab(topology_of(item), self._run.root)
            labs.add(group)
            timed.append(Timed(test_id(item), group, seconds))
        whole = {*self._run.patient, *(f"{lab}{LATE}" for lab in self._run.patient)}
        groups = portioned(timed, whole, getattr(config, "workerinput", {}).get("workercount", 1))
        return {test.test: test._replace(group=groups[test.test]) for test in timed}

    def _needed(self, item: pytest.Item) -> str:
        """Return under what name a scenario keeps its lab: late ones are waited for by all that share it."""
        return self._groups[test_id(item)].group.removesuffix(LATE)

    def _share_groups(self, config: pytest.Config) -> None:
        """Tell the process that distributes tests which of them share a lab, if there is one."""
        groups_file: str = getattr(config, "workerinput", {}).get("l3conf_groups", "")
        if groups_file:
            from l3conf.plugin.distribution import write_groups  # noqa: PLC0415 - needs xdist, which then is there

            seconds: defaultdict[str, float] = defaultdict(float, dict.fromkeys(self._run.patient, LONG))
            for test in self._groups.values():
                seconds[test.group] += test.seconds
            write_groups(Path(groups_file), {test.test: test.group for test in self._groups.values()}, seconds)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that could not be collected: its rows would silently be missing."""
        if report.failed:
            self._run.emit(
                HarnessFailed(message=f"{report.nodeid} could not be collected: {report.longreprtext[-2000:]}")
            )

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what is optional and not declared; forget what the test before measured."""
        if not rows_of(item):
            return
        self._run.measured.clear()
        self._run.attachments.clear()
        self._began, self._told = time.monotonic(), len(self._run.timeline)
        self._run.note(f"test {test_id(item)}")
        if _feeds_allure(item):
            from l3conf.plugin.allure_steps import label  # noqa: PLC0415 - for those who use Allure

            label(requirements_of(item))
        for row in requirements_of(item):
            if not self._run.claims.cover(row):
                missing = f"profile {row.profile} is not claimed" if row.core else f"{row.feature} is not declared"
                pytest.skip(f"{UNSUPPORTED}{missing}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """End a lab after the last test that needs it."""
        done = yield
        if rows_of(item):
            self._waiting[self._needed(item)] -= 1
            if not self._waiting[self._needed(item)] and not self._run.options.hold and self._pool.succeeded:
                self._end(partial(self._pool().retire, lab_of(item)))
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record what a phase of a scenario ended in."""
        report = yield
        if rows_of(item) and (report.when == "call" or report.outcome != "passed"):
            self._record(item, call, report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End the labs and close the record."""
        if self._pool.succeeded:
            self._end(self._hold)
            self._end(self._pool().close)
        if self._run.recording:
            self._run.emit(WorkerFinished(exit_code=int(exitstatus)))
        self._run.close()

    def _end(self, end: Callable[[], None]) -> None:
        try:
            end()
        except Exception as error:  # noqa: BLE001 - whatever it was, the record must say so
            self._run.emit(HarnessFailed(message=f"a lab could not be ended: {error}"))

    def _hold(self) -> None:
        """Keep the labs until Enter or Ctrl-C, if that was asked for."""
        if self._run.options.hold and self._pool().opened():
            print("\n".join(["", *holding_lines(self._pool().opened())]), flush=True)  # noqa: T201 - to the user
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                input("Enter or Ctrl-C ends the lab: ")

    def _record(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        verdict = classify(call.excinfo, phase=call.when)
        message = _message(call.excinfo, verdict)
        evidence = self._evidence(item, call.excinfo, verdict, message)
        if self._second_try.is_due(item, call):
            self._run.emit(TestRepeated(test=test_id(item), rows=rows_of(item), message=message, evidence=evidence))
            return
        self._run.emit(
            TestFinished(
                test=test_id(item),
                rows=rows_of(item),
                outcome=verdict.value,
                topology=topology_of(item),
                parameters={name: _word(value) for name, value in _parameters(item).items()},
                phase=call.when,
                message=message,
                seconds=round(report.duration, 3),
                measured=dict(self._run.measured),
                evidence=evidence,
            )
        )

    def _evidence(
        self, item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException] | None, verdict: Verdict, message: str
    ) -> list[str]:
        """Keep what was asked for, if anybody reads it."""
        allure, wanted = _feeds_allure(item), self._run.options.evidence
        if wanted is Evidence.NONE or not (allure or self._run.options.output):
            return []
        files: list[str] = []
        if verdict in {Verdict.FAIL, Verdict.ERROR} and excinfo is not None:
            files = self._gather(item, excinfo.value, message)
        elif wanted is Evidence.ALL:
            from l3conf.plugin.evidence import keep  # noqa: PLC0415 - brings the Kubernetes client

            files = keep(self._run, test_id(item))
        if allure:
            from l3conf.plugin.allure_steps import attach, tell  # noqa: PLC0415 - for those who use Allure

            tell(self._run.timeline[self._told :], since=self._began)
            self._told = len(self._run.timeline)
            attach(self._run.folder, files)
        return files

    def _gather(self, item: pytest.Item, cause: BaseException, message: str) -> list[str]:
        """Gather evidence once a cause: tests that share a lab's failure share its evidence."""
        from l3conf.plugin.evidence import gather  # noqa: PLC0415 - brings the Kubernetes client

        if isinstance(cause, LabGoneError):
            return []
        if id(cause) not in self._gathered:
            files = gather(self._run, self._pool().opened(), test_id(item), rows_of(item), message)
            self._gathered[id(cause)] = cause, files
        return self._gathered[id(cause)][1]


UNSUPPORTED = "unsupported: "
"""How the reason of a skip begins when the row is optional and not declared."""


def classify(excinfo: pytest.ExceptionInfo[BaseException] | None, *, phase: str) -> Verdict:
    """Return the verdict on one phase. A teardown proves nothing, so whatever it raises is an error."""
    if excinfo is None:
        return Verdict.PASS
    if isinstance(excinfo.value, pytest.skip.Exception):
        reason = str(excinfo.value)
        return Verdict.UNSUPPORTED if reason.startswith(UNSUPPORTED) else Verdict.UNTESTABLE
    if isinstance(excinfo.value, _DISPROOFS) and phase != "teardown":
        return Verdict.FAIL
    return Verdict.ERROR


def holding_lines(labs: Sequence[Lab]) -> list[str]:
    """Return how to look into labs that are kept."""
    lines = []
    for lab in labs:
        lines.append(f"lab {lab.topology.name} is kept:")
        lines += [f"  kubectl --kubeconfig {access.kubeconfig} get pods -A" for access in lab.ground.clusters.values()]
        lines.append(f"  kubectl --kubeconfig {lab.ground.broker.kubeconfig} get clusters,endpoints -A  # broker")
    return lines


def test_id(item: pytest.Item) -> str:
    """Return a test's id without the group that xdist appends to it."""
    return item.nodeid.partition("@")[0]


test_id.__test__ = False  # type: ignore[attr-defined]  # no test, whatever its name looks like


def _feeds_allure(item: pytest.Item) -> bool:
    """Whether results go to Allure: its option is unknown where its plugin is not loaded."""
    return bool(item.config.getoption("--alluredir", default=None))


def _message(excinfo: pytest.ExceptionInfo[BaseException] | None, verdict: Verdict) -> str:
    if excinfo is None:
        return ""
    text = str(excinfo.value)
    if verdict is Verdict.ERROR:
        return f"{excinfo.type.__name__}: {text}"
    return text


def _parameters(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return dict(callspec.params) if callspec is not None else {}


def _word(value: object) -> str:
    return str(getattr(value, "value", value))
