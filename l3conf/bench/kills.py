"""``l3conf bench kills``: agents killed at random under traffic, and what is left of it in the end.

Two clusters, flows of 100 Hz between workers in both directions. One agent after the other, chosen at random among
those that run, gets SIGKILL; some are killed again while they start. What has no credential for the API decides nothing
but may carry packets, and is spared, as by the fault ``kill-agents``. By default kubelets make them wait for up to five
minutes; these are set to wait for ``_RESTART_PERIOD``. In the end all must be ready, no node may hold more or less than
before, and the flows tell what was lost on the way.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.continuity import continuity
from l3conf.emulator.apiserver.service_accounts import MOUNT_PATH
from l3conf.errors import LabError
from l3conf.plugin import residue
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import Topology

_RESTART_PERIOD = 1
"""Seconds that kubelets wait before they start a container again: the least of KubeletConfiguration."""
_PAUSE = 1.0
"""Seconds between two kills."""
_PATIENCE = 60.0
"""Seconds until all agents must be ready again."""
_REPORT_EVERY = 10
"""Kills between two lines of progress."""
_SETTLE = 6.0


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--kills", "count", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--seed", type=int, help="Repeat a run's choices.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def kills(impl: Path, count: int, seed: int | None, *, as_json: bool) -> None:
    """Kill agents at random under traffic."""
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    answer = {"benchmark": "kills", "seed": seed, **_measure(load_implementation(impl), count, random.Random(seed))}  # noqa: S311
    click.echo(json.dumps(answer) if as_json else "\n".join(f"{key}: {value}" for key, value in answer.items()))


def _measure(implementation: Implementation, count: int, choice: random.Random) -> dict[str, Any]:
    with MemberSet(implementation, _with_quick_restarts(load_topology(TWO_CLUSTERS))) as members:
        members.deploy()
        for cluster in ("east", "west"):
            members.join(cluster)
        east, west = members.worker_pod("east"), members.worker_pod("west")
        members.await_packets([(east, west), (west, east)])
        time.sleep(_SETTLE)
        before, agents = _node_states(members), members.agents()
        spared = sum(not _can_speak(agent.pid) for agent in agents)
        flows = [flow(east, west), flow(west, east)]
        with members.lab.flows(flows) as read:
            killed = _kill(members, count, choice)
            recovered = _await_agents(members, len(agents))
            time.sleep(_SETTLE)
            read.stop()
            time.sleep(1)
            judged = [continuity(record) for record in read()]
        left = residue.of_nodes(before, _node_states(members), ())
        lost = sum(one.lost for one in judged)
        return {
            "implementation": implementation.name,
            "kills": killed,
            "agents": len(agents) - spared,
            "spared": spared,
            "max_container_restart_period_seconds": _RESTART_PERIOD,
            "recovered_seconds": round(recovered, 1),
            "sent": sum(one.sent for one in judged),
            "lost": lost,
            "longest_outage_seconds": round(max(one.longest_outage for one in judged), 3),
            "differs_on_nodes": left[:20],
            "holds": not left and not lost and killed == count,
        }


def _with_quick_restarts(topology: Topology) -> Topology:
    clusters = (replace(cluster, max_container_restart_period=_RESTART_PERIOD) for cluster in topology.clusters)
    return replace(topology, clusters=tuple(clusters))


def _kill(members: MemberSet, count: int, choice: random.Random) -> int:
    """Kill agents one after the other, say how far that is, and return how many were killed."""
    began, killed = time.monotonic(), 0
    for number in range(1, count + 1):
        killed += _kill_one(members, choice)
        if number % _REPORT_EVERY == 0 or number == count:
            click.echo(f"  {killed} of {count} agents killed, {time.monotonic() - began:.0f} s", err=True)
    return killed


def _kill_one(members: MemberSet, choice: random.Random) -> int:
    """Kill an agent that runs; 0 if for a while none does."""
    time.sleep(_PAUSE)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(LabError, ProcessLookupError):
            if masters := [agent.pid for agent in members.agents() if _can_speak(agent.pid)]:
                os.kill(choice.choice(masters), signal.SIGKILL)
                return 1
        time.sleep(_PAUSE)
    return 0


def _can_speak(pid: int) -> bool:
    try:
        return has_credential(Path(f"/proc/{pid}/mountinfo").read_text())
    except OSError:
        return False  # it has just ended


def has_credential(mountinfo: str) -> bool:
    """Say whether a process has a credential for its cluster's API, by its mounts (proc_pid_mountinfo(5)). Pure."""
    targets = [line.split(" ")[4] for line in mountinfo.splitlines()]
    return any(target.removeprefix("/var") == MOUNT_PATH.removeprefix("/var") for target in targets)


def _await_agents(members: MemberSet, count: int) -> float:
    """Return the seconds until as many agents run as at first, all of them ready."""
    began = time.monotonic()
    while time.monotonic() - began < _PATIENCE:
        with suppress(LabError):
            if len(members.agents()) >= count and all(_ready(members, cluster) for cluster in members.apis):
                return time.monotonic() - began
        time.sleep(_PAUSE)
    raise LabError(f"not all {count} agents are ready again {_PATIENCE:g} s after the last kill")


def _ready(members: MemberSet, cluster: str) -> bool:
    pods = members.apis[cluster].items("/api/v1/namespaces/submariner-operator/pods")
    conditions = [
        {one["type"]: one["status"] for one in (pod.get("status") or {}).get("conditions") or []} for pod in pods
    ]
    return bool(conditions) and all(one.get("Ready") == "True" for one in conditions)


def _node_states(members: MemberSet) -> Mapping[str, Mapping[str, object]]:
    return {
        f"{cluster.name}@{node.name}": members.lab.node_state(cluster.name, node.name)
        for cluster in members.topology.clusters
        for node in cluster.nodes
    }
