"""Clusters with the same ranges that join at once: what counts as a duplicate, and what the seed decides."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, cast

import pytest
from click.testing import CliRunner

from l3conf.bench import crowd
from l3conf.bench.crowd import crowded
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from l3conf.model.implementation import Implementation


class Members:
    """A cluster set whose join hooks answer what a test says."""

    answers: Mapping[str, Mapping[str, Any]] = {}

    def __init__(self, _implementation: object, _topology: object, *, pods_per_node: int, agents: bool) -> None:
        assert (pods_per_node, agents) == (0, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def deploy(self) -> None:
        """Install nothing."""

    def join(self, cluster: str) -> Mapping[str, Any]:
        return self.answers[cluster]


@pytest.fixture
def implementation(monkeypatch: pytest.MonkeyPatch) -> Implementation:
    monkeypatch.setattr(crowd, "MemberSet", Members)
    monkeypatch.setattr(crowd, "SPREAD", 0.0)

    class Named:
        name = "some"

    return cast("Implementation", Named())


def ranges(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    answers = {f"c{number:02d}": {"globalCIDRs": [text]} for number, text in enumerate(texts, start=1)}
    monkeypatch.setattr(Members, "answers", answers)


def test_clusters_of_a_crowd_have_the_same_ranges_inside_and_nodes_of_their_own() -> None:
    clusters = crowded(20).clusters
    assert len({cluster.name for cluster in clusters}) == 20
    assert len({(cluster.pod_cidrs, cluster.service_cidrs) for cluster in clusters}) == 1
    assert len({cluster.node_cidrs for cluster in clusters}) == 20


def test_a_range_inside_another_ones_is_a_duplicate(
    implementation: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges(monkeypatch, "100.64.0.0/18", "100.64.32.0/24", "100.65.0.0/18")
    found = crowd._allocate(implementation, crowded(3), 7)
    assert (found["seed"], found["ranges"]) == (7, 3)
    assert found["duplicates"] == ["c01 and c02: 100.64.0.0/18, 100.64.32.0/24"]


def test_disjoint_ranges_of_both_ip_versions_are_none(
    implementation: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges(monkeypatch, "100.64.0.0/18", "fd6c:33c0::/48", "100.64.64.0/18")
    assert crowd._allocate(implementation, crowded(3), 1)["duplicates"] == []


def test_hooks_that_do_not_say_what_they_gave_prove_nothing(
    implementation: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges(monkeypatch, "100.64.0.0/18", "100.64.64.0/18")
    monkeypatch.setitem(cast("dict[str, Any]", Members.answers), "c02", {})
    with pytest.raises(LabError, match="c02"):
        crowd._allocate(implementation, crowded(2), 1)


def test_a_run_that_fails_takes_the_others_with_it_no_more(
    implementation: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(_implementation: Implementation, _topology: object, seed: int) -> dict[str, Any]:
        if seed == 2:
            raise LabError("the lab did not answer")
        return {"seed": seed, "all_reach_all_seconds": 1.0, "cpu_seconds": 2.0, "of_which_hooks": 0.5, "duplicates": []}

    monkeypatch.setattr(crowd, "load_implementation", lambda _file: implementation)
    monkeypatch.setattr(crowd, "_measure", measure)
    result = CliRunner().invoke(crowd.crowd, ["--runs", "3", "--json"])
    answer = json.loads(result.stdout)
    assert [one.get("error") for one in answer["runs"]] == [None, "the lab did not answer", None]
    assert answer["holds"] is False
    assert isinstance(CliRunner().invoke(crowd.crowd, ["--seed", "2"]).exception, LabError)


def test_the_same_range_twice_is_a_duplicate() -> None:
    same = ip_network("100.64.0.0/18")
    assert len(crowd._overlaps([("a", same), ("b", same)])) == 1
