"""When a component counts as being at a version, and a roll-out as ended."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.plugin.versions import at_other_versions, still_rolling


def daemon_set(**status: int) -> dict[str, Any]:
    return {"kind": "DaemonSet", "metadata": {"name": "agent", "generation": 2}, "spec": {}, "status": status}


def deployment(replicas: int, **status: int) -> dict[str, Any]:
    spec = {"replicas": replicas}
    return {"kind": "Deployment", "metadata": {"name": "agent", "generation": 2}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        (daemon_set(), "its newest specification was not seen yet"),
        (daemon_set(observedGeneration=1, desiredNumberScheduled=1, updatedNumberScheduled=1), "was not seen yet"),
        (daemon_set(observedGeneration=2, desiredNumberScheduled=3, updatedNumberScheduled=2), "2 of 3 pods replaced"),
        (
            daemon_set(observedGeneration=2, desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=2),
            "2 of 3 pods available",
        ),
        (deployment(1, observedGeneration=2, availableReplicas=1), "0 of 1 pods replaced"),
        (deployment(2, observedGeneration=2, updatedReplicas=2, availableReplicas=1), "1 of 2 pods available"),
    ],
)
def test_a_roll_out_under_way_says_what_it_waits_for(workload: dict[str, Any], said: str) -> None:
    (line,) = still_rolling([workload])
    assert line.startswith(f"{workload['kind']} agent: ")
    assert said in line


def test_a_roll_out_has_ended_when_every_pod_is_new_and_available() -> None:
    done = daemon_set(observedGeneration=2, desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2)
    none = daemon_set(observedGeneration=3)
    assert still_rolling([done, none, deployment(0, observedGeneration=2)]) == []


def test_components_say_which_version_they_are() -> None:
    objects: list[dict[str, Any]] = [
        {"kind": "Gateway", "metadata": {"name": "new"}, "status": {"version": "2"}},
        {"kind": "Gateway", "metadata": {"name": "old"}, "status": {"version": "1"}},
        {"kind": "RouteAgent", "metadata": {"name": "mute"}},
    ]
    assert at_other_versions(objects, "2") == [
        "Gateway old reports version 1, not 2",
        "RouteAgent mute reports version of nothing, not 2",
    ]
