"""What happened, as each worker saw it: one append-only file of JSON lines a worker.

Workers share nothing: each writes its own file, and one writer makes the report from all of them afterwards
(``report.build``). A line is written by one ``write`` call, so a worker that is killed leaves whole lines and at most
one piece of one. That piece is skipped, but counted as an error of the harness.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from l3conf.errors import LabError
from l3conf.report.redaction import redact_all
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_LINE = 1024 * 1024
"""Bytes of one event; longer messages belong into evidence files."""
MAX_TEXT = 32 * 1024
"""Characters of one message."""


_OUTCOMES = frozenset(verdict.value for verdict in Verdict if verdict is not Verdict.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A worker begins. ``tests`` holds every collected test, also those that a filter then left out."""

    tests: Mapping[str, list[str]] = field(default_factory=dict)
    """Requirement ids by test id (pytest node id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFacts:
    """A lab is up: what a report must say about the ground."""

    topology: str
    facts: Mapping[str, str]
    """``Lab.describe()``."""
    seconds: float
    """From the demand until all nodes were Ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCalled:
    """A hook of the implementation ended."""

    verb: str
    cluster: str
    exit_code: int
    seconds: float
    message: str = ""
    """Why it counts as broken; empty if it does not."""
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFinished:
    """A test, or one phase of it, ended. Several events of one test are joined by ``verdict.judge_test``."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    test: str
    """pytest node id."""
    rows: list[str]
    outcome: str
    """A value of ``verdict.Verdict``."""
    topology: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    """``setup``, ``call``, ``teardown``, or the hop at which the test says it broke."""
    message: str = ""
    """What was expected and seen; for people."""
    seconds: float = 0.0
    measured: Mapping[str, float] = field(default_factory=dict)
    """Seconds that were really needed, by name of the budget."""
    evidence: list[str] = field(default_factory=list)
    """Files, relative to the output directory."""

    def __post_init__(self) -> None:
        if self.outcome not in _OUTCOMES:
            raise ValueError(f"{self.outcome!r} is no outcome of a test; use one of {', '.join(sorted(_OUTCOMES))}")
        for name in ("rows", "evidence"):
            if not isinstance(getattr(self, name), list):
                raise TypeError(f"{name} is a list")

    @property
    def verdict(self) -> Verdict:
        """The outcome as a verdict."""
        return Verdict(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRepeated:
    """A test began anew, because the machine was too busy for what it had seen to prove anything."""

    __test__ = False  # likewise

    test: str
    """pytest node id."""
    rows: list[str]
    message: str
    """What the first try ended in."""
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessFailed:
    """Something broke outside any test."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFinished:
    """A worker ends in order; a file without this event was cut short."""

    exit_code: int


Event: TypeAlias = RunStarted | LabFacts | HookCalled | TestFinished | TestRepeated | HarnessFailed | WorkerFinished

_KINDS: dict[str, type[Event]] = {
    "run-started": RunStarted,
    "lab-facts": LabFacts,
    "hook-called": HookCalled,
    "test-finished": TestFinished,
    "test-repeated": TestRepeated,
    "harness-failed": HarnessFailed,
    "worker-finished": WorkerFinished,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """One worker's events, and what is wrong with its file."""

    worker: str
    events: tuple[Event, ...]
    problems: tuple[str, ...] = ()


class EventWriter:
    """Appends events to one worker's file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LabError(f"events cannot be recorded: {error.strerror}", where=str(path)) from error
        self._path = path
        self._lock = threading.Lock()

    def write(self, event: Event) -> None:
        """Append one event, redacted; ``LabError`` if it could not be written whole."""
        body = redact_all(_shorten(dataclasses.asdict(event)))
        line = json.dumps({"event": _NAMES[type(event)], "time": round(time.time(), 3), **body}, sort_keys=True)
        data = line.encode() + b"\n"
        if len(data) > MAX_LINE:
            raise LabError(f"an event of {len(data)} bytes is too large", where=str(self._path))
        with self._lock:
            try:
                written = os.write(self._descriptor, data)
            except OSError as error:
                raise LabError(f"an event is lost: {error.strerror}", where=str(self._path)) from error
        if written != len(data):
            raise LabError("an event is lost: the disk is full", where=str(self._path))

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def read_events(path: Path) -> EventFile:
    """Read one worker's file; whatever is wrong with it becomes a problem, never an exception."""
    worker = path.stem
    try:
        raw = path.read_bytes()
    except OSError as error:
        return EventFile(worker=worker, events=(), problems=(f"{path.name}: cannot be read: {error.strerror}",))
    return parse_events(worker, raw)


def parse_events(worker: str, raw: bytes) -> EventFile:
    """Parse the bytes of one worker's file."""
    events: list[Event] = []
    problems: list[str] = []
    *lines, rest = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_event(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            problems.append(f"{worker}: line {number} is no event: {error}")
    if rest:
        problems.append(f"{worker}: the last line is cut short")
    if not any(isinstance(event, WorkerFinished) for event in events):
        problems.append(f"{worker}: ended without saying so")
    return EventFile(worker=worker, events=tuple(events), problems=tuple(problems))


def read_all_events(directory: Path) -> list[EventFile]:
    """Read every worker's file of a directory, in the order of their names."""
    return [read_events(path) for path in sorted(directory.glob("*.jsonl"))]


def _event(data: Mapping[str, Any]) -> Event:
    fields = dict(data)
    kind = _KINDS[fields.pop("event")]
    fields.pop("time")
    return kind(**fields)


def _shorten(body: Mapping[str, Any]) -> dict[str, Any]:
    message = body.get("message")
    if isinstance(message, str) and len(message) > MAX_TEXT:
        return {**body, "message": f"{message[:MAX_TEXT]}… ({len(message) - MAX_TEXT} characters more)"}
    return dict(body)


def tests_by_row(files: Iterable[EventFile]) -> dict[str, set[str]]:
    """Return, for every requirement, the ids of all tests that were collected for it."""
    found: dict[str, set[str]] = {}
    for event in (event for file in files for event in file.events):
        if isinstance(event, RunStarted):
            for test, rows in event.tests.items():
                for row in rows:
                    found.setdefault(row, set()).add(test)
        elif isinstance(event, TestFinished):
            for row in event.rows:
                found.setdefault(row, set()).add(event.test)
    return found
