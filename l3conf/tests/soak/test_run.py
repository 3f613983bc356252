"""A run names what did not hold, goes on, gives up, is interrupted, and is repeated."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import pytest

from l3conf.errors import LabError
from l3conf.soak import run
from l3conf.soak.changes import Change, Kind, State, applied
from l3conf.soak.journal import Journal
from l3conf.soak.resources import Resources
from l3conf.soak.run import Soak, chosen
from l3conf.spec.budgets import Budgets
from l3conf.tests.soak.members import TOPOLOGY, FakeMembers

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.bench.members import MemberSet
    from l3conf.soak.stage import Stage

WHOLE = State(topology=TOPOLOGY, members=frozenset(cluster.name for cluster in TOPOLOGY.clusters))
KILL = Change(kind=Kind.KILL, cluster="east", node="east-1")


@dataclass
class FakeStage:
    """Does to the fake members what a change says, or something else."""

    members: FakeMembers
    instead: Callable[[Change, State], None] | None = None

    def resolved(self, change: Change, _state: State) -> Change:
        return replace(change, node="east-1") if change.kind is Kind.CRASH else change

    def carry_out(self, change: Change, state: State) -> None:
        if self.instead is not None:
            self.instead(change, state)
        else:
            self.members.become(applied(change, state))


class Trial:
    """A run over fakes; what is held is ``held``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.members, self.written, self.said = FakeMembers(WHOLE), io.StringIO(), list[str]()
        self.held = Resources(namespaces=1)
        self.stage = FakeStage(self.members)
        now = [0.0]
        monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr(run, "measure", lambda _members: self.held)
        self.soak = Soak(
            cast("MemberSet", self.members),
            cast("Stage", self.stage),
            WHOLE,
            Budgets.default(),
            Journal(self.written),
            self.said.append,
        )
        self.soak.begin()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(monkeypatch)


def test_a_run_in_which_all_holds(trial: Trial) -> None:
    trial.soak.go(islice(chosen(trial.soak, 1, 1e9), 40))
    report = trial.soak.report()
    assert (report["changes"], report["violated"], report["holds"]) == (40, [], True)
    assert len({each["change"]["kind"] for each in trial.lines}) > 5


def test_a_repeated_run_does_the_same(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.soak.go(islice(chosen(trial.soak, 7, 1e9), 25))
    again = Trial(monkeypatch)
    again.soak.go(enumerate((Change.from_json(each["change"]) for each in trial.lines), start=1))
    assert [(each["change"], each["state"]) for each in again.lines] == [
        (each["change"], each["state"]) for each in trial.lines
    ]


def test_what_does_not_come_back_is_named_with_its_budget(trial: Trial) -> None:
    def break_it(_change: Change, _state: State) -> None:
        trial.members.lab.reach.clear()

    trial.stage.instead = break_it
    trial.soak.go(iter([(1, KILL)]))
    (line,) = trial.lines
    assert "does not reach" in line["violations"][0]
    assert "(T_restart: 60 s)" in line["violations"][0]
    assert line["settled_seconds"] >= 60
    assert not trial.soak.report()["holds"]


def test_packets_of_pairs_that_were_not_touched_count(trial: Trial) -> None:
    trial.members.lab.lost = {"west/l3conf-probes/probe-west-3": 3}
    trial.soak.go(iter([(1, Change(kind=Kind.CRASH, cluster="east")), (2, KILL)]))
    crash, kill = trial.lines
    assert [line.split(" lost")[0] for line in crash["violations"]] == [
        "west/l3conf-probes/probe-west-3 -> north/l3conf-probes/probe-north-2"
    ]
    assert len(kill["violations"]) == 2


def test_what_is_held_longer_than_it_may_be_is_a_leak(trial: Trial) -> None:
    trial.soak.go(iter([(1, KILL)]))
    trial.held = Resources(namespaces=2)
    trial.soak.go(iter([(2, KILL)]))
    assert [line["violations"] for line in trial.lines] == [[], ["lab: 2 network namespaces instead of 1"]]


def test_another_configuration_has_a_baseline_of_its_own(trial: Trial) -> None:
    def leave(change: Change, state: State) -> None:
        trial.members.become(applied(change, state))
        trial.held = Resources(namespaces=3)

    trial.stage.instead = leave
    trial.soak.go(iter([(1, Change(kind=Kind.LEAVE, cluster="north"))]))
    assert trial.lines[0]["violations"] == []
    assert trial.soak.report()["configurations"] == 3  # the whole set, and two while some are refused and when not


def test_refusals_may_linger_after_a_parting_and_not_for_ever(trial: Trial) -> None:
    """A node that boots forgets what others still refuse; what stays beyond that time is a leak."""
    trial.held = Resources(namespaces=1, kernel={"west@west-1": {"rule": 11, "link": 3}})
    trial.soak.go(iter([(1, Change(kind=Kind.LEAVE, cluster="north"))]))
    assert any("waiting for" in line for line in trial.said)  # the baseline of what is left: 11 rules
    trial.soak.go(iter([(2, Change(kind=Kind.JOIN, cluster="north")), (3, Change(kind=Kind.LEAVE, cluster="north"))]))
    trial.held = Resources(namespaces=1, kernel={"west@west-1": {"rule": 13, "link": 3}})
    trial.soak.one(4, KILL)
    assert trial.lines[-1]["violations"] == ["west@west-1: 13 rule instead of 11"]
    trial.soak.one(5, Change(kind=Kind.JOIN, cluster="north"))
    trial.soak.one(6, Change(kind=Kind.LEAVE, cluster="north"))
    assert trial.lines[-1]["violations"] == []
    trial.held = Resources(namespaces=1, kernel={"west@west-1": {"rule": 13, "link": 4}})
    trial.soak.one(7, KILL)
    assert trial.lines[-1]["violations"] == ["west@west-1: 4 link instead of 3"]
    trial.soak.go(iter([]))
    assert trial.soak.report()["left"] == ["west@west-1: 4 link instead of 3", "west@west-1: 13 rule instead of 11"]
    assert not trial.soak.report()["holds"]


def test_a_change_that_fails_is_named_and_three_in_a_row_end_the_run(trial: Trial) -> None:
    def fail(_change: Change, _state: State) -> None:
        raise LabError("the hook ended with 1")

    trial.stage.instead = fail
    trial.soak.go((number, KILL) for number in range(1, 10))
    assert len(trial.lines) == 3
    assert "the hook ended with 1" in trial.lines[0]["violations"][0]
    assert "given up" in trial.said[-1]


def test_an_interrupt_ends_with_what_was_done(trial: Trial) -> None:
    def interrupt(_change: Change, _state: State) -> None:
        raise KeyboardInterrupt

    trial.soak.go(iter([(1, KILL)]))
    trial.stage.instead = interrupt
    trial.soak.go(iter([(2, KILL)]))
    report = trial.soak.report()
    assert (report["changes"], report["interrupted"], report["holds"]) == (1, True, True)
