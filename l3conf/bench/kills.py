"""``l3conf bench kills``: agents killed at random under traffic, and what is left of it in the end.

Two clusters, flows of 100 Hz between workers in both directions. One agent after the other, chosen at random among
those that run, gets SIGKILL; its kubelet starts it again, later and later. In the end all must be ready, no node may
hold more or less than before, and the flows tell what was lost on the way.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.plugin import residue
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.implementation import Implementation

_PAUSE = 1.0
"""Seconds between two kills."""
_PATIENCE = 420.0
"""Seconds until all agents must be ready again: kubelet's longest back-off is 300 s."""
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
    with MemberSet(implementation, load_topology(TWO_CLUSTERS)) as members:
        members.deploy()
        for cluster in ("east", "west"):
            members.join(cluster)
        east, west = members.worker_pod("east"), members.worker_pod("west")
        members.await_packets([(east, west), (west, east)])
        time.sleep(_SETTLE)
        before, agents = _node_states(members), len(members.agents())
        flows = [flow(east, west), flow(west, east)]
        with members.lab.flows(flows) as read:
            killed = sum(_kill_one(members, choice) for _ in range(count))
            recovered = _await_agents(members, agents)
            time.sleep(_SETTLE)
            read.stop()
            time.sleep(1)
            judged = [continuity(record) for record in read()]
        left = residue.of_nodes(before, _node_states(members), ())
        lost = sum(one.lost for one in judged)
        return {
            "implementation": implementation.name,
            "kills": killed,
            "agents": agents,
            "recovered_seconds": round(recovered, 1),
            "sent": sum(one.sent for one in judged),
            "lost": lost,
            "longest_outage_seconds": round(max(one.longest_outage for one in judged), 3),
            "differs_on_nodes": left[:20],
            "holds": not left and not lost and killed == count,
        }


def _kill_one(members: MemberSet, choice: random.Random) -> int:
    """Kill an agent that runs; 0 if for a while none does."""
    time.sleep(_PAUSE)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(LabError, ProcessLookupError):
            os.kill(choice.choice(members.agents()).pid, signal.SIGKILL)
            return 1
        time.sleep(_PAUSE)
    return 0


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
