"""Choices are functions of seed and state, possible, and reach everything there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.bench.topology import THREE_TO_SOAK
from l3conf.errors import UserError
from l3conf.soak.changes import BUDGETS, LEAST, Change, Kind, State, applied, disturbs, next_change
from l3conf.spec.budgets import Budgets
from l3conf.spec.files import load_topology

TOPOLOGY = load_topology(THREE_TO_SOAK)
ALL = frozenset(cluster.name for cluster in TOPOLOGY.clusters)
WHOLE = State(topology=TOPOLOGY, members=ALL)


def walked(seed: int, steps: int, state: State = WHOLE) -> list[tuple[Change, State]]:
    found = []
    for number in range(1, steps + 1):
        change = next_change(seed, number, state)
        found.append((change, state))
        state = applied(change, state)
    return found


@given(st.integers(min_value=0))
def test_the_same_seed_chooses_the_same_and_only_what_is_possible(seed: int) -> None:
    assert walked(seed, 30) == walked(seed, 30)
    for change, state in walked(seed, 30):
        assert len(state.members) >= LEAST
        assert change.cluster == "broker" or (change.cluster in state.members) is (change.kind is not Kind.JOIN)
        if change.other:
            assert {change.cluster, change.other} <= state.members
        if change.kind in {Kind.ISOLATE, Kind.CONNECT}:
            pair = frozenset((change.cluster, change.other))
            assert (pair in state.isolated) is (change.kind is Kind.CONNECT)
        assert Change.from_json(change.to_json()) == change


def test_every_kind_is_chosen_and_has_a_budget() -> None:
    kinds = {change.kind for seed in range(20) for change, _ in walked(seed, 60)}
    assert kinds == set(Kind) == set(BUDGETS)
    assert {name for name in BUDGETS.values() if not Budgets.default().get(name)} == set()


def test_what_an_implementation_cannot_do_is_not_chosen() -> None:
    state = State(topology=TOPOLOGY, members=ALL, able=frozenset(Kind) - {Kind.ROTATE, Kind.ISOLATE})
    kinds = {change.kind for seed in range(10) for change, _ in walked(seed, 60, state)}
    assert kinds.isdisjoint({Kind.ROTATE, Kind.ISOLATE, Kind.CONNECT})


def test_a_cluster_that_left_and_a_pair_that_is_apart_do_not_connect() -> None:
    left = applied(Change(kind=Kind.LEAVE, cluster="east"), WHOLE)
    assert left.peers("west") == {"north"}
    assert applied(Change(kind=Kind.JOIN, cluster="east"), left) == WHOLE
    apart = applied(Change(kind=Kind.ISOLATE, cluster="east", other="west"), WHOLE)
    assert apart.peers("east") == {"north"}
    assert apart.peers("north") == {"east", "west"}
    assert not WHOLE.connects("east", "east")
    assert applied(Change(kind=Kind.CONNECT, cluster="west", other="east"), apart) == WHOLE


@pytest.mark.parametrize(
    ("change", "disturbed", "spared"),
    [
        (Change(kind=Kind.CRASH, cluster="east"), [("east", "west"), ("north", "east")], [("west", "north")]),
        (Change(kind=Kind.CUT, cluster="east", other="west"), [("west", "east")], [("east", "north")]),
        (Change(kind=Kind.KILL, cluster="east"), [], [("east", "west"), ("west", "north")]),
        (Change(kind=Kind.MOVE, cluster="east"), [], [("east", "west")]),
        (Change(kind=Kind.BROKER, cluster="broker"), [], [("east", "west")]),
    ],
)
def test_who_may_lose_packets(change: Change, disturbed: list[tuple[str, str]], spared: list[tuple[str, str]]) -> None:
    assert [pair for pair in (*disturbed, *spared) if disturbs(change, pair)] == disturbed


def test_a_line_of_something_else_is_no_change() -> None:
    with pytest.raises(UserError, match="no change"):
        Change.from_json({"kind": "earthquake", "cluster": "east"})
