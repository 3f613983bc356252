"""``l3conf bench mesh``: a member joins a set of ten; who loses what, when is the mesh full, and what does rest cost.

The ten are left alone for a while first: what is written to the APIs, and what processor time and memory agents use.
While the eleventh cluster joins, each of the ten sends a numbered flow of 100 Hz to the next.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from itertools import permutations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.continuity import Continuity, continuity
from l3conf.errors import LabError
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation

BEFORE = 10
"""Members of the set that another one joins."""
CONTROL = 1.0
"""Seconds of flow before the change: what is lost there is the harness's."""
SETTLED = 15.0
"""Seconds after the last change from which a set is at rest: some agents let others start first."""
COSTLIEST = 5
GROUP = "/apis/submariner.io/v1"
WATCHED = (f"{GROUP}/clusters", f"{GROUP}/endpoints", f"{GROUP}/gateways", f"{GROUP}/routeagents", "/api/v1/events")
EXPECTED = frozenset({"gateways", "routeagents", "clusters"})
"""Kinds whose freshness is written: heartbeats."""


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--seconds", type=click.IntRange(5, 600), default=30, show_default=True, help="How long rest is watched.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def mesh(impl: Path, seconds: int, *, as_json: bool) -> None:
    """Measure a member joining a set of ten, and the full mesh at rest."""
    answer = _measure(load_implementation(impl), seconds)
    if as_json:
        click.echo(json.dumps(answer))
        return
    join, rest = answer["join"], answer["rest"]
    click.echo(f"full mesh of {BEFORE + 1} after {join['full_mesh_seconds']} s; others lost {join['others_lost']}")
    click.echo(
        f"at rest agents use {rest['cpu_percent']['worst']} % of a CPU at most and {rest['peak_rss_mb']} MB;"
        f" written: {rest['written']}"
    )


def _measure(implementation: Implementation, seconds: int) -> dict[str, Any]:
    twelve = load_topology(TWELVE_CLUSTERS)
    topology = dataclasses.replace(twelve, clusters=twelve.clusters[: BEFORE + 1])
    *ten, newcomer = (cluster.name for cluster in topology.clusters)
    with MemberSet(implementation, topology) as members:
        members.deploy()
        began = time.monotonic()
        for cluster in ten:
            members.join(cluster)
        pods = {cluster.name: members.pods(cluster.name)[0] for cluster in topology.clusters}
        members.await_packets(permutations([pods[name] for name in ten], 2))
        formed = time.monotonic() - began
        rest = _rest(members, seconds)
        flows = [flow(pods[one], pods[other]) for one, other in zip(ten, [*ten[1:], ten[0]], strict=True)]
        with members.lab.flows(flows) as read:
            time.sleep(CONTROL)
            began = time.monotonic()
            members.join(newcomer)
            hook = time.monotonic() - began
            members.await_packets(_with_each(pods[newcomer], [pods[name] for name in ten]))
            full = time.monotonic() - began
            time.sleep(CONTROL)
            read.stop()
            judged = [continuity(record) for record in read()]
        return {
            "benchmark": "mesh",
            "implementation": implementation.name,
            "ten": {"seconds": round(formed, 2)},
            "join": {
                "full_mesh_seconds": round(full, 2),
                "of_which_hook": round(hook, 2),
                "bar": 10.0,
                "others_sent": sum(one.sent for one in judged),
                "others_lost": sum(one.lost for one in judged),
                "longest_outage_seconds": round(max(one.longest_outage for one in judged), 3),
                "holds": full <= 10.0 and not _lost(judged),  # noqa: PLR2004 - the bar
            },
            "rest": rest,
        }


def _lost(judged: Sequence[Continuity]) -> int:
    if any(not one.sent for one in judged):
        raise LabError("a flow sent nothing", where="bench mesh")
    return sum(one.lost for one in judged)


def _with_each(one: Member, others: Sequence[Member]) -> Iterator[tuple[Member, Member]]:
    for other in others:
        yield one, other
        yield other, one


def _rest(members: MemberSet, seconds: int) -> dict[str, Any]:
    """Watch a set that nothing changes, when all its agents have been there for a while."""
    time.sleep(SETTLED)
    before, began = _versions(members), time.monotonic()
    used = {agent.pid: agent.cpu_seconds for agent in members.agents()}
    time.sleep(seconds)
    agents, elapsed = members.agents(), time.monotonic() - began
    after = _versions(members)
    shares = sorted(
        ((100 * (agent.cpu_seconds - used.get(agent.pid, 0.0)) / elapsed, agent.command) for agent in agents),
        reverse=True,
    )
    percent = [share for share, _ in shares]
    changed = Counter(key[1] for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    peak = max(agent.peak_rss_mb for agent in agents)
    return {
        "seconds": round(elapsed, 1),
        "agents": len(agents),
        "cpu_percent": {"median": round(median(percent), 2), "worst": round(percent[0], 2), "bar": 1.0},
        "costliest": [{"agent": command, "cpu_percent": round(share, 2)} for share, command in shares[:COSTLIEST]],
        "peak_rss_mb": round(peak, 1),
        "written": dict(sorted(changed.items())),
        "holds": percent[0] <= 1.0 and peak <= 60.0 and changed.keys() <= EXPECTED,  # noqa: PLR2004 - the bars
    }


def _versions(members: MemberSet) -> dict[tuple[str, str, str], str]:
    """Return the resourceVersion of everything of the implementation, by API, kind and name."""
    return {
        (api.name, path.rpartition("/")[2], f"{item['metadata'].get('namespace')}/{item['metadata']['name']}"): str(
            item["metadata"]["resourceVersion"]
        )
        for api in (*members.apis.values(), members.broker)
        for path in WATCHED
        for item in api.items(path)
    }
