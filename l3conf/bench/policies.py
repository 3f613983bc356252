"""``l3conf bench policies``: twelve clusters, and connection policies that change under traffic.

Everybody sends a numbered flow to the next in a ring, and two clusters that are to be parted to each other. How long
until nothing passes between the two, how long until it does again, and what do the others lose?
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.cli.printing import print_json
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.continuity import FlowRecord
    from l3conf.model.implementation import Implementation

BAR_SECONDS = 2.0
WATCHED = 5.0
"""Seconds for which flows go on after each change."""
NAMESPACE = "submariner-k8s-broker"
PATH = f"/apis/l3conf.io/v1alpha1/namespaces/{NAMESPACE}/clusterconnectionpolicies"
CLUSTER_LABEL = "submariner-io/clusterID"


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def policies(impl: Path, *, as_json: bool) -> None:
    """Measure changes of connection policies among twelve clusters."""
    answer = _measure(load_implementation(impl))
    if as_json:
        print_json(answer)
        return
    click.echo(
        f"parted after {answer['parted_after_seconds']} s, connected again after {answer['connected_after_seconds']} s;"
        f" others lost {answer['others_lost']} of {answer['others_sent']}; passed later: {answer['passed_after_bound']}"
    )


def _measure(implementation: Implementation) -> dict[str, Any]:
    topology = load_topology(TWELVE_CLUSTERS)
    names = [cluster.name for cluster in topology.clusters]
    one, other = names[0], names[6]
    with MemberSet(implementation, topology) as members:
        members.deploy()
        for name in names:
            members.join(name)
        pods = {name: members.pods(name)[0] for name in names}
        members.await_packets([(pods[a], pods[b]) for a in names for b in names if a != b])
        ring = [flow(pods[a], pods[b]) for a, b in zip(names, [*names[1:], names[0]], strict=True)]
        between = [flow(pods[one], pods[other]), flow(pods[other], pods[one])]
        with members.lab.flows([*ring, *between]) as read:
            time.sleep(1.0)
            # First a policy that says what holds anyway: the second one is then the only change.
            members.broker.request("POST", PATH, body=_policy("everybody", {}, {}, "Connect"))
            time.sleep(WATCHED)
            parted = time.monotonic()
            ends = ({CLUSTER_LABEL: one}, {CLUSTER_LABEL: other})
            members.broker.request("POST", PATH, body=_policy("parted", *ends, "Isolate"))
            time.sleep(WATCHED)
            joined = time.monotonic()
            members.broker.request("DELETE", f"{PATH}/parted")
            time.sleep(WATCHED)
            read.stop()
            records = {record.flow.id: record for record in read()}
    others = [continuity(records[each.id]) for each in ring]
    if any(not each.sent for each in others):
        raise LabError("a flow sent nothing", where="bench policies")
    pair = [_heard(records[each.id], parted, joined) for each in between]
    last = max(heard["last_before_silence"] for heard in pair)
    first = max(heard["first_again"] for heard in pair)
    figures = {
        "parted_after_seconds": round(last - parted, 2),
        "connected_after_seconds": round(first - joined, 2),
        "passed_after_bound": sum(heard["late"] for heard in pair),
        "others_sent": sum(each.sent for each in others),
        "others_lost": sum(each.lost for each in others),
    }
    return {
        "benchmark": "policies",
        "implementation": implementation.name,
        "clusters": len(names),
        "bar": BAR_SECONDS,
        **figures,
        "holds": not figures["others_lost"]
        and not figures["passed_after_bound"]
        and max(figures["parted_after_seconds"], figures["connected_after_seconds"]) <= BAR_SECONDS,
    }


def _heard(record: FlowRecord, parted: float, joined: float) -> dict[str, Any]:
    """Say when a flow fell silent, what was heard later than it should, and when it was heard again."""
    times = record.received.times
    silent = [each for each in times if parted <= each < joined]
    return {
        "last_before_silence": max(silent, default=parted),
        "late": sum(each > parted + BAR_SECONDS for each in silent),
        "first_again": min((each for each in times if each >= joined), default=float("inf")),
    }


def _policy(name: str, left: dict[str, str], right: dict[str, str], action: str) -> dict[str, Any]:
    return {
        "apiVersion": "l3conf.io/v1alpha1",
        "kind": "ClusterConnectionPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"left": {"matchLabels": left}, "right": {"matchLabels": right}, "action": action},
    }
