"""Conditions are judged by the Kubernetes API conventions."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.plugin.conditions import Version, faults, stages

EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T00:00:09Z"


def condition(kind: str = "Connected", status: str = "True", since: str = EARLY, **more: object) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": "Because",
        "message": "",
        "lastTransitionTime": since,
        "observedGeneration": 1,
        **more,
    }


def version(*conditions: dict[str, Any], time: float = 0.0, **more: object) -> Version:
    obj = {"kind": "Cluster", "metadata": {"name": "west", "generation": 1}, "spec": {"cluster_id": "west"}, **more}
    return Version(time, "east", {**obj, "status": {"conditions": list(conditions)}})


def test_a_time_that_moves_with_its_status_is_well() -> None:
    assert faults([version(condition()), version(condition(status="False", since=LATE))]) == []


@pytest.mark.parametrize(
    ("versions", "word"),
    [
        ([version(condition()), version(condition(since=LATE))], "moved while its status stayed"),
        ([version(condition(since=LATE)), version(condition(status="False"))], "went back"),
        ([version(condition(), condition())], "occurs 2 times"),
        ([version(condition(status="Yes"))], "has status 'Yes'"),
        ([version(condition(reason=""))], "no reason"),
        ([version(condition(since="yesterday"))], "'yesterday'"),
        ([version(condition(observedGeneration=None))], "which generation"),
        ([version(condition(observedGeneration=2))], "before it exists"),
    ],
)
def test_every_fault_is_named(versions: list[Version], word: str) -> None:
    (line,) = faults(versions)
    assert word in line


def test_stages_are_read_at_a_moment_and_of_the_peer_first() -> None:
    gateway = Version(
        0.0,
        "east",
        {
            "kind": "Gateway",
            "metadata": {"name": "g"},
            "status": {"haStatus": "active", "conditions": [condition("Programmed")]},
        },
    )
    log = [gateway, version(condition("Accepted")), version(condition("Accepted", "False", LATE), time=5.0)]
    assert stages(log, "east", "west", at=4.0) == ["True", "True", ""]
    assert stages(log, "east", "west", at=6.0) == ["False", "True", ""]
    assert stages(log, "west", "east", at=6.0) == ["", "", ""]
