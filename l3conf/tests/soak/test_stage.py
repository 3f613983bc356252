"""What a change consists of."""

from __future__ import annotations

import pytest

from l3conf.model.faults import NodeCrash, fault_to_json
from l3conf.soak.changes import Change, Kind
from l3conf.soak.stage import cuts, faults

MEMBERS = ["east", "west"]


def test_a_crash_is_of_the_node_that_was_found_active() -> None:
    change = Change(kind=Kind.CRASH, cluster="east", node="east-2", seconds=3)
    assert faults(change) == [NodeCrash(cluster="east", node="east-2")]


@pytest.mark.parametrize("kind", [Kind.REFUSALS, Kind.DROPS, Kind.LATE])
def test_faults_of_apis_spare_those_who_look_on(kind: Kind) -> None:
    (fault,) = faults(Change(kind=kind, cluster="broker", seconds=3))
    assert fault_to_json(fault)["user"] == "system:serviceaccount:*"


def test_the_underlay_fails_both_ways() -> None:
    cut = Change(kind=Kind.CUT, cluster="east", other="west", seconds=1)
    assert cuts(cut, MEMBERS) == [("east", "west"), ("west", "east")]
    assert len(faults(Change(kind=Kind.LOSS, cluster="east", other="west", seconds=1))) == 2
    assert len(cuts(Change(kind=Kind.BROKER, cluster="broker", seconds=1), MEMBERS)) == 4


@pytest.mark.parametrize("kind", [Kind.LEAVE, Kind.MOVE, Kind.ISOLATE, Kind.PODS])
def test_what_is_no_fault_consists_of_none(kind: Kind) -> None:
    change = Change(kind=kind, cluster="east", other="west")
    assert (faults(change), cuts(change, MEMBERS)) == ([], [])
