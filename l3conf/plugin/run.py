"""One worker's run: what was asked, what is recorded, and the labs it holds."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.report.events import EventWriter, HookCalled
from l3conf.report.redaction import redact
from l3conf.spec.files import load_implementation
from l3conf.verdict import Claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.adapter import HookCall
    from l3conf.expectations.harness import Kept
    from l3conf.model.implementation import Implementation
    from l3conf.plugin.options import RunOptions
    from l3conf.report.events import Event
    from l3conf.wait import Waited

EVENTS, EVIDENCE = "events", "evidence"
"""Folders in an output directory (``report.output``)."""
SCRATCH = "L3CONF_SCRATCH"
"""Environment variable with the folder for scratch files, whose owner removes it even if a worker is killed."""
MAIN_WORKER = "main"
"""Name of the worker of a run without xdist."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the run's timeline."""

    time: float
    """``time.monotonic``."""
    text: str


@dataclass(slots=True)
class Run:
    """State of one worker. Not shared between workers: what they saw meets in the report."""

    options: RunOptions
    worker: str
    events_directory: Path | None
    """Where event files go; None: nothing is reported."""
    root: Path
    timeline: list[Moment] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    """Of the test that runs now: the longest wait by budget."""
    patient: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By lab: what takes long and will be asked for at the end (``collection.patience``)."""
    attachments: dict[str, Kept] = field(default_factory=dict)
    """Of the test that runs now: what goes into its evidence, by file name (drawings: without suffix)."""
    _implementation: Implementation | None = None
    _writer: EventWriter | None = None
    _scratch: Path | None = None

    @property
    def scratch(self) -> Path:
        """Folder for hook logs and credentials that hooks make; removed at the end."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="l3conf-run-", dir=os.environ.get(SCRATCH)))
        return self._scratch

    @property
    def folder(self) -> Path:
        """Where evidence goes: the folder of the report, or scratch where none was asked for."""
        return self.options.output or self.scratch

    @property
    def implementation(self) -> Implementation:
        """The implementation under test, loaded when first needed. ``UserError`` if its file is wrong."""
        if self._implementation is None:
            if self.options.implementation is None:
                raise pytest.UsageError("there is no implementation to test: give --impl impl.yaml")
            loaded = load_implementation(self.options.implementation)
            self._implementation = replace(loaded, hook_env={**loaded.hook_env, **self.options.hook_env})
        return self._implementation

    @property
    def claims(self) -> Claims:
        """What the implementation says of itself, and so has to prove."""
        return Claims(profiles=self.implementation.profiles, features=self.implementation.features)

    def random(self, purpose: str) -> random.Random:
        """Return a generator that depends on nothing but the seed and the purpose."""
        return random.Random(f"{self.options.seed}/{purpose}")  # noqa: S311 - order, not secrets

    @property
    def recording(self) -> bool:
        """Whether anything has been recorded, so that the record needs an end."""
        return self._writer is not None

    def emit(self, event: Event) -> None:
        """Record an event, if anything is to be reported."""
        if self.events_directory is None:
            return
        if self._writer is None:
            self._writer = EventWriter(self.events_directory / f"{self.worker}.jsonl")
        self._writer.write(event)

    def note(self, text: str) -> None:
        """Add a line to the timeline."""
        self.timeline.append(Moment(time.monotonic(), text))

    def keep(self, name: str, kept: Kept) -> None:
        """Keep something as evidence, should evidence of the test that runs now be asked for; names get numbers."""
        stem, dot, suffix = name.partition(".")
        number = sum(other.partition(".")[0].rstrip("-0123456789") == stem for other in self.attachments)
        self.attachments[f"{stem}-{number + 1}{dot}{suffix}"] = kept

    def waited(self, waited: Waited) -> None:
        """Record what a wait measured."""
        self.measured[waited.budget] = round(max(waited.took, self.measured.get(waited.budget, 0.0)), 3)
        word = "in time" if waited.in_time else "late" if waited.held else "given up"
        self.note(f"{waited.condition}: {word} after {waited.took:.2f} s ({waited.budget} = {waited.allowed:g} s)")

    def hook_called(self, call: HookCall) -> None:
        """Record a call of a hook."""
        self.note(f"hook {call.verb} {call.cluster}: exit code {call.exit_code} after {call.seconds:.2f} s")
        message = "" if call.exit_code in {0, 127} else f"exit code {call.exit_code}"
        message = "ended at its deadline" if call.timed_out else message
        call.log.write_text(redact(call.log.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
        self.emit(
            HookCalled(
                verb=call.verb,
                cluster=call.cluster,
                exit_code=call.exit_code,
                seconds=round(call.seconds, 3),
                message=message,
                evidence=self._kept(call.log),
            )
        )

    def hook_logs(self, lab: str) -> Path:
        """Return the folder for the hook logs of a lab: part of the report's evidence if there is a report."""
        folder = self.folder if self.options.output is None else self.folder / EVIDENCE
        return folder / "hooks" / f"{self.worker}-{lab}"

    def _kept(self, file: Path) -> list[str]:
        """Return how a report names a file, if it is kept with one."""
        output = self.options.output
        return [] if output is None else [file.relative_to(output).as_posix()]

    def close(self) -> None:
        """Close the event file and remove scratch files."""
        if self._writer is not None:
            self._writer.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
