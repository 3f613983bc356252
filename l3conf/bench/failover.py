"""``l3conf bench failover``: what is lost when the active gateway node dies, and when it is relieved on purpose.

Two clusters with two gateway nodes each, flows between workers both ways. The active gateway node of one cluster loses
power under flows of 100 Hz; in another run the label that makes it a gateway node is taken away under ten flows of
200 Hz. What is measured is what the flows missed: the longest run of missing numbers, at either end.
"""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWO_GATEWAYS
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.model.faults import NodeCrash
from l3conf.plugin.node_labels import GATEWAY_LABEL, label_node
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.bench.members import Member
    from l3conf.continuity import NumberedFlow
    from l3conf.model.implementation import Implementation

_SETTLE = 10.0
"""Seconds for which nothing happens before: standby gateways have everything ready by then."""
_CONTROL = 1.0
_AFTER = 12.0
"""Seconds for which flows go on; longer than any outage that is to be measured."""
_OUTAGE = 1.5
"""Seconds that the bar allows a crash."""


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def failover(impl: Path, runs: int, *, as_json: bool) -> None:
    """Crash the active gateway node, and move the active gateway on purpose, under traffic."""
    implementation = load_implementation(impl)
    crashes = [_crash(implementation) for _ in range(runs)]
    moves = [_move(implementation) for _ in range(runs)]
    answer = {
        "benchmark": "failover",
        "implementation": implementation.name,
        "crash": crashes,
        "move": moves,
        "longest_outage_seconds": max(run["longest_outage_seconds"] for run in crashes),
        "lost_in_moves": sum(run["lost"] for run in moves),
        "holds": all(run["longest_outage_seconds"] <= _OUTAGE for run in crashes) and not any(m["lost"] for m in moves),
    }
    click.echo(json.dumps(answer) if as_json else "\n".join(f"{key}: {value}" for key, value in answer.items()))


def _crash(implementation: Implementation) -> dict[str, Any]:
    with _connected(implementation) as members:
        workers = {cluster: _workers(members, cluster) for cluster in ("east", "west")}
        flows = [flow(one, other) for one, other in zip(workers["east"], workers["west"], strict=True)]
        flows += [flow(other, one) for one, other in zip(workers["east"], workers["west"], strict=True)]
        active = _active(members, "east")
        with members.lab.flows(flows) as read:
            time.sleep(_CONTROL)
            with members.lab.fault(NodeCrash(cluster="east", node=active)):
                time.sleep(_AFTER)
                seen = [continuity(record) for record in _ended(read)]
        return {
            "longest_outage_seconds": round(max(one.longest_outage for one in seen), 3),
            "from_east_seconds": round(max(one.longest_outage for one in seen[: len(seen) // 2]), 3),
            "from_west_seconds": round(max(one.longest_outage for one in seen[len(seen) // 2 :]), 3),
        }


def _move(implementation: Implementation) -> dict[str, Any]:
    with _connected(implementation) as members:
        active = _active(members, "east")
        flows = _ten_flows(members, active)
        with members.lab.flows(flows) as read:
            time.sleep(_CONTROL)
            label_node(members.apis["east"], active, {GATEWAY_LABEL: None})
            time.sleep(_AFTER)
            seen = [continuity(record) for record in _ended(read)]
        if _active(members, "east") == active:
            raise LabError("the gateway did not move", where=f"east@{active}")
        return {
            "sent": sum(one.sent for one in seen),
            "lost": sum(one.lost for one in seen),
            "losing": [f"{one.flow.source} -> {one.flow.destination}: {one.lost}" for one in seen if one.lost],
            "longest_outage_seconds": round(max(one.longest_outage for one in seen), 3),
        }


@contextmanager
def _connected(implementation: Implementation) -> Iterator[MemberSet]:
    with MemberSet(implementation, load_topology(TWO_GATEWAYS)) as members:
        members.deploy()
        for cluster in ("east", "west"):
            members.join(cluster)
        east, west = members.worker_pod("east"), members.worker_pod("west")
        members.await_packets([(east, west), (west, east)])
        time.sleep(_SETTLE)
        yield members


def _workers(members: MemberSet, cluster: str) -> list[Member]:
    names = {node.name for node in members.topology.cluster(cluster).worker_nodes}
    return [pod for pod in members.pods(cluster) if pod.node in names]


def _ten_flows(members: MemberSet, active: str) -> list[NumberedFlow]:
    """Return flows of 200 Hz: between all workers both ways, and with the gateway node that takes over."""
    west = _workers(members, "west")
    pairs = [(one, other) for one in _workers(members, "east") for other in west]
    gateways = {node.name for node in members.topology.cluster("east").gateway_nodes} - {active}
    pairs += [(next(pod for pod in members.pods("east") if pod.node in gateways), west[0])]
    both_ways = [pair for one, other in pairs for pair in ((one, other), (other, one))]
    return [dataclasses.replace(flow(one, other), rate=200.0) for one, other in both_ways]


def _active(members: MemberSet, cluster: str) -> str:
    """Return the node whose Gateway calls itself active."""
    found = members.apis[cluster].items("/apis/submariner.io/v1/namespaces/submariner-operator/gateways")
    active = [each["metadata"]["name"] for each in found if (each.get("status") or {}).get("haStatus") == "active"]
    if len(active) != 1:
        raise LabError(f"{len(active)} gateways call themselves active", where=cluster)
    return str(active[0])


def _ended(read: Any) -> Any:  # noqa: ANN401
    read.stop()
    time.sleep(1.0)
    return read()
