"""Goes round: choose a change, carry it out under traffic, wait until all holds again, compare what is held."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.bench.members import flow
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.soak.changes import BUDGETS, applied, disturbs, next_change, parts
from l3conf.soak.invariants import active_gateways, violations
from l3conf.soak.measuring import measure
from l3conf.soak.resources import leaks, without_refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from l3conf.bench.members import Member, MemberSet
    from l3conf.soak.changes import Change, State
    from l3conf.soak.journal import Journal
    from l3conf.soak.resources import Resources
    from l3conf.soak.stage import Stage
    from l3conf.spec.budgets import Budgets

_CONTROL = 1.0
"""Seconds for which flows run before a change, and after it."""
_PERIOD = 0.5
_AT_LEAST = 15.0
"""Seconds that what is held may take to be as before: leases and caches of a departed gateway run out."""
LINGERING = 330.0
"""Seconds for which nodes may go on refusing packets to those from whom they were parted: five minutes and more."""
_HOPELESS = 3
"""Changes in a row after which something did not hold: what is tried then tells nothing new."""
_SHOWN = 10


@dataclass(slots=True)
class Soak:
    """One run."""

    members: MemberSet
    stage: Stage
    state: State
    budgets: Budgets
    journal: Journal
    say: Callable[[str], None]
    done: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    left: list[str] = field(default_factory=list)
    """What did not hold when all was over."""
    _baselines: dict[object, Resources] = field(default_factory=dict)
    _parted: float = float("-inf")
    """When somebody was parted from somebody, by ``time.monotonic``."""

    def begin(self) -> None:
        """Wait until the set is whole, and take the first baseline. ``LabError`` if it never is."""
        found, _ = self._settle("T_join")
        if found:
            raise LabError(f"the set is not whole before anything changes: {found[0]}", where="soak")
        self._compare("T_join")

    def go(self, changes: Iterator[tuple[int, Change]]) -> None:
        """Carry changes out until there are no more, or nothing holds any longer, or the user has had enough.

        At the end what may linger is waited for, and what is held is compared once more.
        """
        try:
            for number, change in changes:
                self.one(number, change)
                if len(self.done) >= _HOPELESS and all(each["violations"] for each in self.done[-_HOPELESS:]):
                    self.say(f"given up: after {_HOPELESS} changes in a row something did not hold")
                    return
            self._end()
        except KeyboardInterrupt:
            self.interrupted = True
            self.say("interrupted")

    def one(self, number: int, change: Change) -> None:
        """Carry one change out, and look."""
        began, budget = time.monotonic(), BUDGETS[change.kind]
        error = ""
        lost: dict[str, int] = {}
        try:
            change = self.stage.resolved(change, self.state)
            lost = self._under_traffic(change)
        except LabError as failure:
            error = f"the change failed: {failure}"
        self.state = applied(change, self.state)
        if parts(change):
            self._parted = time.monotonic()
        found, settled = self._settle(budget)
        undue = [f"{pair} lost {count} packets, which this change does not touch" for pair, count in lost.items()]
        found = [*([error] if error else []), *undue, *found] or self._leaked(budget)
        entry = {
            "number": number,
            "change": change.to_json(),
            "state": self.state.to_json(),
            "budget": budget,
            "settled_seconds": round(settled, 2),
            "seconds": round(time.monotonic() - began, 1),
            "violations": found[:_SHOWN],
        }
        self.done.append(entry)
        self.journal.write(entry)
        text = f"{len(found)} violations, first: {found[0]}" if found else f"all holds after {settled:.1f} s"
        self.say(f"{number}: {change}: {text}")

    @property
    def _lingers(self) -> float:
        """Seconds for which refusals may still linger."""
        return max(0.0, self._parted + LINGERING - time.monotonic())

    def _end(self) -> None:
        if self._lingers:
            self.say(f"waiting for {self._lingers:.0f} s, until nobody need be refused any more")
            time.sleep(self._lingers)
            found = violations(self.members, self.state) or self._leaked("T_reconcile")
            self.left = found[:_SHOWN]
            self.say(f"{len(found)} violations, first: {found[0]}" if found else "all holds")

    def _under_traffic(self, change: Change) -> dict[str, int]:
        """Carry a change out while flows run; return what was lost between pairs that it does not touch."""
        pods = {name: self.members.worker_pod(name) for name in sorted(self.state.members)}
        pairs = [(a, b) for one, a in pods.items() for other, b in pods.items() if self.state.connects(one, other)]
        with self.members.lab.flows([flow(one, other) for one, other in pairs]) as read:
            time.sleep(_CONTROL)
            self.stage.carry_out(change, self.state)
            time.sleep(_CONTROL)
            read.stop()
            time.sleep(_CONTROL)
            records = read()
        flaws = [record.flaw for record in records if record.flaw]
        if flaws:
            raise LabError(f"a flow proves nothing: {flaws[0]}", where="soak")
        return self._undue(change, pairs, [continuity(record).lost for record in records])

    @staticmethod
    def _undue(change: Change, pairs: Sequence[tuple[Member, Member]], lost: Sequence[int]) -> dict[str, int]:
        return {
            f"{one.place} -> {other.place}": count
            for (one, other), count in zip(pairs, lost, strict=True)
            if count and not disturbs(change, (one.cluster, other.cluster))
        }

    def _settle(self, budget: str) -> tuple[list[str], float]:
        """Wait until everything holds; return what does not when the budget is spent, and the seconds it took."""
        began = time.monotonic()
        while found := violations(self.members, self.state):
            if time.monotonic() - began > self.budgets.get(budget):
                late = f"({budget}: {self.budgets.get(budget):g} s)"
                return [f"{line} {late}" for line in found], time.monotonic() - began
            time.sleep(_PERIOD)
        return [], time.monotonic() - began

    def _leaked(self, budget: str) -> list[str]:
        try:
            return self._compare(budget)
        except LabError as error:
            return [f"could not be measured: {error}"]

    def _compare(self, budget: str) -> list[str]:
        """Return what has leaked since the set was last like this; the first time becomes the baseline.

        A baseline is what two looks in a row agree on.
        """
        active = tuple(active_gateways(self.members, self.state).items())
        lingering = self._lingers > 0
        configuration = self.state.members, self.state.isolated, active, lingering
        deadline = time.monotonic() + max(_AT_LEAST, self.budgets.get(budget))
        baseline = self._baselines.get(configuration)
        before, now = baseline, self._held(lingering=lingering)
        while before is None or (found := leaks(before, now)):
            if before is not None and time.monotonic() > deadline:
                return found
            time.sleep(_PERIOD)
            before, now = baseline or now, self._held(lingering=lingering)
        self._baselines.setdefault(configuration, now)
        return []

    def _held(self, *, lingering: bool) -> Resources:
        held = measure(self.members)
        return without_refusals(held) if lingering else held

    def report(self) -> dict[str, Any]:
        """Return what was done and found."""
        broken = [each for each in self.done if each["violations"]]
        kinds = sorted({each["change"]["kind"] for each in self.done})
        by_kind = {kind: [each for each in self.done if each["change"]["kind"] == kind] for kind in kinds}
        first, last = (next(iter(self._baselines.values())), measure(self.members)) if self._baselines else (None, None)
        return {
            "changes": len(self.done),
            "by_kind": {
                kind: {"changes": len(found), "slowest_settled_seconds": max(each["settled_seconds"] for each in found)}
                for kind, found in by_kind.items()
            },
            "configurations": len(self._baselines),
            "processes_at_first": {} if first is None else {name: asdict(use) for name, use in first.processes.items()},
            "processes_at_last": {} if last is None else {name: asdict(use) for name, use in last.processes.items()},
            "interrupted": self.interrupted,
            "violated": broken[:_SHOWN],
            "left": self.left,
            "holds": bool(self.done) and not broken and not self.left,
        }


def chosen(soak: Soak, seed: int, seconds: float, *, first: int = 1) -> Iterator[tuple[int, Change]]:
    """Give changes until the time is over, each chosen from what the set then is."""
    deadline, number = time.monotonic() + seconds, first
    while time.monotonic() < deadline:
        yield number, next_change(seed, number, soak.state)
        number += 1
