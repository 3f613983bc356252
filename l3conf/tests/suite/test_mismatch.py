from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from l3conf.model.topology import Topology
from l3conf.plugin import mismatch
from l3conf.tests.suite.test_oracle import cluster

if TYPE_CHECKING:
    from l3conf.plugin.furnished import FurnishedLab

NAMES = ("a", "b")


@dataclass
class PaperAPI:
    """One member's Gateways and Clusters."""

    gateways: list[dict[str, Any]] = field(default_factory=list)
    clusters: list[dict[str, Any]] = field(default_factory=list)

    def items(self, kind: str) -> list[dict[str, Any]]:
        return self.gateways if kind.endswith("gateways") else self.clusters


@dataclass
class PaperLab:
    topology: Topology
    apis: dict[str, PaperAPI]


def lab(*drivers: tuple[int, ...]) -> PaperLab:
    clusters = tuple(replace(cluster(index), cable_drivers=one) for index, one in enumerate(drivers))
    return PaperLab(Topology(name="t", clusters=clusters), {name: PaperAPI() for name in NAMES})


def gateway(peer: str, message: str, **status: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    entry = {"status": "error", "statusMessage": message, "endpoint": {"cluster_id": peer}}
    return {"metadata": {"name": "g"}, "status": {"haStatus": "active", "connections": [entry], **status}}


def said(paper: PaperLab) -> list[str]:
    return mismatch.not_said(cast("FurnishedLab", paper), NAMES)


def test_nothing_need_be_said_where_a_driver_is_shared() -> None:
    assert said(lab((0, 1), (1,))) == []
    assert said(lab((), (1,))) == []


def test_both_ends_must_say_it() -> None:
    paper = lab((0,), (1,))
    assert said(paper) == ["a does not say DriverMismatch of b", "b does not say DriverMismatch of a"]
    paper.apis["a"].gateways = [gateway("b", "DriverMismatch: vxlan there")]
    assert said(paper) == ["b does not say DriverMismatch of a"]


@pytest.mark.parametrize(
    "objects",
    [
        [gateway("c", "DriverMismatch: about somebody else")],
        [gateway("b", "no answer")],
        [gateway("b", "", conditions=[{"type": "Accepted", "reason": "DriverMismatch", "message": "c: no"}])],
    ],
)
def test_a_word_about_somebody_else_or_another_word_is_not_it(objects: list[dict[str, Any]]) -> None:
    paper = lab((0,), (1,))
    paper.apis["a"].gateways = objects
    assert said(paper)[0] == "a does not say DriverMismatch of b"


def test_a_condition_of_the_peers_object_says_it_too() -> None:
    paper = lab((0,), (1,))
    condition = {"type": "Accepted", "status": "False", "reason": "DriverMismatch"}
    for api, peer in zip(paper.apis.values(), reversed(NAMES), strict=True):
        api.clusters = [
            {"metadata": {"name": peer}, "spec": {"cluster_id": peer}, "status": {"conditions": [condition]}}
        ]
    assert said(paper) == []
