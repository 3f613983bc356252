"""What expectations need of the run they stand in, and the rule by which harness faults are told from findings."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.errors import BusyHostError, LabError
from l3conf.observation import Observation, Outcome, Probe
from l3conf.wait import Bound, Clock, DeadlineMissedError, Waited, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias, TypeVar

    from l3conf.expectations.timeline import Timeline
    from l3conf.labs.base import Lab
    from l3conf.spec.budgets import Budgets
    from l3conf.wait import Pending

    T = TypeVar("T")
    Kept: TypeAlias = str | bytes | Timeline
    """Text or octets of a file, or what is drawn: twice, as SVG and PNG."""


_LOOKS = 2
"""Looks whose lateness counts: the one that saw the condition, and the one that held it up."""


@dataclass(slots=True, kw_only=True)
class Harness:
    """A lab with the run's budgets, record and randomness. Shared by all places of one lab."""

    lab: Lab
    budgets: Budgets
    """Times of this run (``T_join``, ``T_probe`` …)."""
    record: Callable[[Waited], None] = lambda _waited: None
    random: random.Random = field(default_factory=random.Random)
    """Seeded by the run: order of pairs."""
    clock: Clock = field(default_factory=Clock)
    status: Callable[[str], Sequence[str]] = lambda _cluster: ()
    """Lines on the connections that a cluster's API reports, for diagnoses."""

    note: Callable[[str], None] = lambda _line: None
    """Adds a line to the run's timeline."""
    noted: Callable[[], Sequence[tuple[float, str]]] = lambda: ()
    """The run's timeline so far: ``time.monotonic`` and line."""
    keep: Callable[[str, Kept], None] = lambda _name, _kept: None
    """Keeps a file, by name and content, as evidence of the test that runs."""
    _overruns: deque[float] = field(default_factory=lambda: deque(maxlen=_LOOKS), init=False)
    """Seconds by which the last probes came back later than the last of them had ended."""

    def send(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once, in a seeded order, and answer in theirs.

        ``LabError`` if the harness could not do its work for one of them: neither pass nor fail.
        """
        order = list(range(len(probes)))
        self.random.shuffle(order)
        began = self.clock.now()
        shuffled = self.lab.probe([probes[index] for index in order])
        ended = max((seen.probe.timeout if seen.rtt is None else seen.rtt for seen in shuffled), default=0.0)
        self._overruns.append(max(0.0, self.clock.now() - began - ended))
        if len(shuffled) != len(probes):
            raise LabError(f"{len(probes)} probes were sent and {len(shuffled)} observations came back")
        answers = dict(zip(order, shuffled, strict=True))
        broken = [seen for seen in shuffled if seen.outcome is Outcome.HARNESS_ERROR]
        if broken:
            raise LabError(f"probe from {broken[0].probe.source} was not sent: {broken[0].detail}")
        return [answers[index] for index in range(len(probes))]

    def wait(self, condition: str, look: Callable[[], T | Pending], budget: str, *, started: float | None = None) -> T:
        """Wait for a condition within a budget of the table (``l3conf.wait.wait_until``).

        A probe ends with its answer or its timeout, whatever an implementation does. ``BusyHostError`` if the
        condition came true, and is late by no more than its last probes came back later than that: the machine did
        not let them.
        """
        bound = Bound(budget, self.budgets.get(budget))
        self._overruns.clear()
        try:
            return wait_until(condition, look, bound, record=self.record, clock=self.clock, started=started)
        except DeadlineMissedError as missed:
            late = missed.waited.took - missed.waited.allowed
            overrun = sum(self._overruns)
            if missed.waited.held and late <= overrun:
                raise BusyHostError(f"probes came back {overrun:.2f} s later than they ended: {missed}") from None
            raise
