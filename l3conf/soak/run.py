"""Goes round: choose a change, carry it out under traffic, wait until all holds again, compare what is held."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.bench.members import flow
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.soak.changes import BUDGETS, applied, disturbs, next_change
from l3conf.soak.invariants import active_gateways, violations
from l3conf.soak.measuring import measure
from l3conf.soak.resources import leaks

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
    _baselines: dict[object, Resources] = field(default_factory=dict)

    def begin(self) -> None:
        """Wait until the set is whole, and take the first baseline. ``LabError`` if it never is."""
        found, _ = self._settle("T_join")
        if found:
            raise LabError(f"the set is not whole before anything changes: {found[0]}", where="soak")
        self._compare("T_join")

    def go(self, changes: Iterator[tuple[int, Change]]) -> None:
        """Carry changes out until there are no more, or nothing holds any longer, or the user has had enough."""
        try:
            for number, change in changes:
                self.one(number, change)
                if len(self.done) >= _HOPELESS and all(each["violations"] for each in self.done[-_HOPELESS:]):
                    self.say(f"given up: after {_HOPELESS} changes in a row something did not hold")
                    return
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
        configuration = self.state.members, self.state.isolated, active
        deadline = time.monotonic() + max(_AT_LEAST, self.budgets.get(budget))
        baseline = self._baselines.get(configuration)
        before, now = baseline, measure(self.members)
        while before is None or (found := leaks(before, now)):
            if before is not None and time.monotonic() > deadline:
                return found
            time.sleep(_PERIOD)
            before, now = baseline or now, measure(self.members)
        self._baselines.setdefault(configuration, now)
        return []

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
            "holds": bool(self.done) and not broken,
        }


def chosen(soak: Soak, seed: int, seconds: float, *, first: int = 1) -> Iterator[tuple[int, Change]]:
    """Give changes until the time is over, each chosen from what the set then is."""
    deadline, number = time.monotonic() + seconds, first
    while time.monotonic() < deadline:
        yield number, next_change(seed, number, soak.state)
        number += 1
