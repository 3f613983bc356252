"""The process that starts the run and, when all workers are done, writes the one report."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import L3confError, UserError
from l3conf.plugin.options import topology_file
from l3conf.report.events import (
    EventWriter,
    HarnessFailed,
    LabFacts,
    TestFinished,
    WorkerFinished,
    read_all_events,
    tests_by_row,
)
from l3conf.report.facts import RunFacts
from l3conf.report.output import EVENTS, prepare_output, write_report
from l3conf.spec.files import file_digest, load_implementation
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from l3conf.plugin.options import RunOptions
    from l3conf.report.build import Report
    from l3conf.report.events import EventFile

_CRD, _VERSION = "crd/", "version/"
"""How a lab's facts name the digest of a CRD."""


class Controller:
    """Plugin object of the process that the user started."""

    def __init__(self, config: pytest.Config, options: RunOptions, output: Path) -> None:
        self._config = config
        self._options = options
        self._output = output
        self._started = dt.datetime.now(dt.UTC)
        self._own: EventWriter | None = None
        self.report: Report | None = None
        try:
            prepare_output(output)
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Record a test whose worker died under it: nothing is known of its rows."""
        test = crashitem.partition("@")[0]
        rows = [row for row, tests in tests_by_row(self._read()).items() if test in tests]
        message = "the worker died while this test ran"
        self._emit(TestFinished(test=test, rows=sorted(rows), outcome=Verdict.ERROR.value, message=message))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, object, object]:
        """Write the report, once all others have ended theirs: without workers the recorder is among them."""
        result = yield
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self._emit(HarnessFailed(message="the run was interrupted"))
        if self._own is not None:
            self._emit(WorkerFinished(exit_code=int(exitstatus)))
            self._own.close()
        self._write()
        return result

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the report is and what it says."""
        if self.report is not None:
            verdict = self.report["verdict"]
            terminalreporter.section("l3conf")
            terminalreporter.write_line(f"{verdict['overall']}: {'; '.join(verdict['reasons'][:3])}")
            terminalreporter.write_line(f"report: {self._output}")

    def _write(self) -> None:
        if self._options.implementation is None:
            return
        try:
            self.report = write_report(self._output, self._facts(self._read()))
        except L3confError as error:
            reporter = self._config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"no report could be written: {error}", red=True)

    def _facts(self, files: Sequence[EventFile]) -> RunFacts:
        if self._options.implementation is None:
            raise UserError("there is no implementation to report on")
        labs = [event for file in files for event in file.events if isinstance(event, LabFacts)]
        own = {Path(each).stem: each for each in self._options.own_topologies}
        return RunFacts(
            implementation=load_implementation(self._options.implementation),
            lab=self._options.lab_kind,
            seed=self._options.seed,
            started_at=self._started,
            finished_at=dt.datetime.now(dt.UTC),
            budgets=self._options.budgets,
            implementation_digest=file_digest(self._options.implementation),
            topologies={
                lab.topology: file_digest(topology_file(own.get(lab.topology, lab.topology), self._config.rootpath))
                for lab in labs
            },
            crds=_under(_CRD, labs),
            versions=_under(_VERSION, labs),
            filter=describe_filter(self._config, self._options),
        )

    def _read(self) -> list[EventFile]:
        return read_all_events(self._output / EVENTS)

    def _emit(self, event: TestFinished | HarnessFailed | WorkerFinished) -> None:
        if self._own is None:
            self._own = EventWriter(self._output / EVENTS / "controller.jsonl")
        self._own.write(event)


def describe_filter(config: pytest.Config, options: RunOptions) -> str:
    """Return how tests were left out, as the command line has it; empty if none were."""
    words: list[str] = []
    for option, flag in (("keyword", "-k"), ("markexpr", "-m")):
        if config.getoption(option, ""):
            words += [flag, config.getoption(option)]
    for option, flag in (("lf", "--lf"), ("stepwise", "--stepwise")):
        if config.getoption(option, default=False):
            words.append(flag)
    words += [word for row in options.rows for word in ("--row", row)]
    words += [word for each in options.topologies for word in ("--topology", Path(each).name)]
    words += ["--brief"] if options.brief else []
    if config.getoption("maxfail", 0):
        words += ["--maxfail", str(config.getoption("maxfail"))]
    words += [argument for argument in config.args if "::" in argument or argument.endswith(".py")]
    words += [word for deselected in config.getoption("deselect") or [] for word in ("--deselect", deselected)]
    return shlex.join(words)


def _under(prefix: str, labs: Sequence[LabFacts]) -> dict[str, str]:
    """Return what labs say of themselves in words that begin alike, by the rest of the words."""
    facts = (fact for lab in labs for fact in lab.facts.items())
    return {name.removeprefix(prefix): said for name, said in facts if name.startswith(prefix)}
