"""Numbered flows of the fake lab: what was due is decided whenever something changes, under what held until then."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from l3conf.continuity import FlowRecord, NumberedFlow, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Fate(enum.Enum):
    """What becomes of one packet."""

    ARRIVES = "arrives"
    LOST = "lost"
    DOUBLED = "arrives twice"
    OVERTAKEN = "arrives after its successor"
    REFUSED = "is not taken by the sender's kernel"
    LEFT_OUT = "is not emitted, for the sender was late"
    OVERFLOWS = "finds the receiver's socket full"


class _Log:
    """Numbers and times of one end."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[float] = []

    def add(self, number: int, moment: float) -> None:
        self._numbers.append(number)
        self._times.append(moment)

    def series(self) -> Series:
        return Series(tuple(self._numbers), tuple(self._times))


class FakeFlow:
    """One flow and both ends' records of it."""

    def __init__(self, flow: NumberedFlow, began: float) -> None:
        self.flow = flow
        self.stopped_at: float | None = None
        self._now = began
        self._began = began
        self._next = 0
        self._emitted = _Log()
        self._received = _Log()
        self._overtaken: list[int] = []
        self._refused = 0
        self._overflown = 0

    def advance(self, now: float, fate: Callable[[NumberedFlow], Fate]) -> None:
        """Emit what is due by ``now``."""
        self._now = now
        while self.stopped_at is None and (moment := self._began + self._next * self.flow.period) <= now:
            self._emit(self._next, moment, fate(self.flow))
            self._next += 1

    def stop(self) -> None:
        """Emit nothing more."""
        if self.stopped_at is None:
            self.stopped_at = self._now

    def record(self) -> FlowRecord:
        """Return what both ends know."""
        return FlowRecord(
            flow=self.flow,
            emitted=self._emitted.series(),
            received=self._received.series(),
            ended=self._now if self.stopped_at is None else self.stopped_at,
            refused={"EPERM": self._refused} if self._refused else {},
            overflown=self._overflown,
        )

    def _emit(self, number: int, moment: float, fate: Fate) -> None:
        if fate is Fate.LEFT_OUT:
            return
        self._emitted.add(number, moment)
        self._refused += fate is Fate.REFUSED
        self._overflown += fate is Fate.OVERFLOWS
        if fate is Fate.OVERTAKEN:
            self._overtaken.append(number)
            return
        for _ in range({Fate.ARRIVES: 1, Fate.DOUBLED: 2}.get(fate, 0)):
            self._received.add(number, moment)
        for late in self._overtaken if fate is Fate.ARRIVES else ():
            self._received.add(late, moment)
            self._overtaken = []


class FakeReader:
    """Flows of one context (``labs.base.FlowReader``)."""

    def __init__(self, flows: Sequence[FakeFlow], advance: Callable[[], None]) -> None:
        self._flows = flows
        self._advance = advance

    def __call__(self) -> list[FlowRecord]:
        """Return what both ends have recorded."""
        self._advance()
        return [flow.record() for flow in self._flows]

    def stop(self) -> None:
        """Emit nothing more."""
        self._advance()
        for flow in self._flows:
            flow.stop()
