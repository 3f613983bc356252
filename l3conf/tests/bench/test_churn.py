"""What counts as left of a cluster that went: objects, words, and what nodes name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from l3conf.bench.churn import _Trial
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.errors import LabError
from l3conf.spec.files import load_topology


class FakeAPI:
    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: dict[str, list[dict[str, Any]]] = {}

    def items(self, path: str) -> list[dict[str, Any]]:
        return self.kept.get(Path(path).name, [])


def trial() -> tuple[_Trial, Any]:
    ours, other = load_topology(TWELVE_CLUSTERS).clusters[:2]
    states: dict[str, dict[str, str]] = {ours.name: {}}
    members = SimpleNamespace(
        apis={ours.name: FakeAPI(ours.name)},
        broker=FakeAPI("broker"),
        pods=lambda _cluster: [SimpleNamespace()],
        lab=SimpleNamespace(node_state=lambda cluster, _node: states[cluster]),
        states=states,
    )
    fake: Any = members
    return _Trial(fake, (ours,), other), members


def test_objects_words_and_routes_are_left_and_rejections_are_not() -> None:
    one, members = trial()
    ours, other = one.ten[0].name, one.other
    before: dict[str, frozenset[str]] = {ours: frozenset()}
    assert one._left(before, broker=True) == []
    members.states[ours]["rule/IPv4/150 #1"] = f"action unreachable dst {other.pod_cidrs[0].network_address} dstlen 16"
    assert one._left(before, broker=True) == []
    members.states[ours][f"route/150/{other.pod_cidrs[0]} dev cable"] = "via 10.0.0.1"
    assert len(one._left(before, broker=True)) == 1
    members.states[ours].clear()
    members.broker.kept["clusters"] = [{"metadata": {"name": "x"}, "spec": {"cluster_id": other.name}}]
    assert one._left(before, broker=False) == []
    assert len(one._left(before, broker=True)) == 1


def test_a_cluster_that_nobody_knew_cannot_go() -> None:
    one, _ = trial()
    with pytest.raises(LabError, match="nothing was known"):
        one.until_gone({one.ten[0].name: frozenset()}, lambda: None, broker=True)
