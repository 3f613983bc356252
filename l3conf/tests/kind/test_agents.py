"""Agents that die, hang and crash on a ground of stubs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError
from l3conf.model.agents import TOKEN_MOUNT_PATH
from l3conf.model.faults import (
    AgentsCrashLooping,
    AgentsFrozen,
    AgentsKilled,
)

if TYPE_CHECKING:
    from l3conf.labs.kind.ground import Ground
    from l3conf.labs.kind.inflict import Faults
    from l3conf.tests.kind.conftest import Bench


def pod(namespace: str, name: str, *, speaks: bool = True, state: str = "running") -> dict[str, Any]:
    mounts = [{"name": "t", "mountPath": TOKEN_MOUNT_PATH}] if speaks else []
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"containers": [{"name": "c", "volumeMounts": mounts}]},
        "status": {"containerStatuses": [{"name": "c", "containerID": f"containerd://{name}", "state": {state: {}}}]},
    }


def ctr(bench: Bench) -> list[list[str]]:
    return [
        command.argv[3:] for command in bench.engine.commands if command.argv[0] == "ctr" and command.argv[3] == "task"
    ]


def test_agents_are_killed_and_nobody_else(bench: Bench, ground: Ground, faults: Faults) -> None:
    bench.apis.pods = [
        pod("submariner-operator", "agent"),
        pod("submariner-operator", "carrier", speaks=False),
        pod("submariner-operator", "ended", state="terminated"),
        *(
            pod(namespace, namespace)
            for namespace in ("kube-system", "l3conf-probes", "l3conf-hosts", "local-path-storage")
        ),
    ]
    with faults.in_force(AgentsKilled(cluster="east", node=ground.names.node("east", 0))):
        pass
    assert ctr(bench) == [["task", "kill", "--signal", "SIGKILL", "agent"]]


def test_frozen_agents_and_carriers_are_stopped_and_go_on(bench: Bench, ground: Ground, faults: Faults) -> None:
    bench.apis.pods = [pod("submariner-operator", "agent"), pod("submariner-operator", "carrier", speaks=False)]
    with faults.in_force(AgentsFrozen(cluster="east", node=ground.names.node("east", 0))):
        assert ctr(bench) == [["task", "pause", "agent"], ["task", "pause", "carrier"]]
    assert ctr(bench)[2:] == [["task", "resume", "agent"], ["task", "resume", "carrier"]]


def test_crash_loops_kill_again_and_again(bench: Bench, ground: Ground, faults: Faults) -> None:
    bench.apis.pods = [pod("submariner-operator", "agent")]
    with faults.in_force(AgentsCrashLooping(cluster="east", node=ground.names.node("east", 0))):
        bench.apis.pods = [pod("submariner-operator", "again")]
        deadline = 50
        while not any(words[-1] == "again" for words in ctr(bench)) and (deadline := deadline - 1):
            time.sleep(0.1)
    assert any(words[-1] == "again" for words in ctr(bench))


def test_a_node_without_agents_is_an_error_of_the_lab(ground: Ground, faults: Faults) -> None:
    with (
        pytest.raises(LabError, match="no agent runs there"),
        faults.in_force(AgentsKilled(cluster="east", node=ground.names.node("east", 0))),
    ):
        pass
