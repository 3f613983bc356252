"""``l3conf bench crowd``: twenty clusters with the same ranges join at the same moment.

Each has one pod that asks for a global address. Who got the same range or address as somebody else, and after how long
does everybody reach everybody?
"""

from __future__ import annotations

import dataclasses
import random
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import PATIENCE, MemberSet
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.cli.printing import print_json
from l3conf.errors import LabError
from l3conf.model.topology import NodeSpec
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import Topology

BAR_SECONDS = 20.0
GROUP = "/apis/submariner.io/v1"
NAMESPACE = "l3conf-probes"
_LOOK = 0.1


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--clusters", type=click.IntRange(2, 60), default=20, show_default=True)
@click.option("--runs", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first run: in what order they join.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def crowd(impl: Path, clusters: int, runs: int, seed: int, *, as_json: bool) -> None:
    """Measure clusters with identical ranges that all join at once."""
    implementation = load_implementation(impl)
    results = [_measure(implementation, crowded(clusters), seed + run) for run in range(runs)]
    answer = {
        "benchmark": "crowd",
        "implementation": implementation.name,
        "clusters": clusters,
        "bar": {"seconds": BAR_SECONDS, "duplicates": 0},
        "holds": all(not one["duplicates"] and one["all_reach_all_seconds"] <= BAR_SECONDS for one in results),
        "runs": results,
    }
    if as_json:
        print_json(answer)
        return
    for one in results:
        click.echo(
            f"seed {one['seed']}: all reach all after {one['all_reach_all_seconds']} s"
            f" (hooks {one['of_which_hooks']} s), {len(one['duplicates'])} duplicates"
        )


def crowded(count: int) -> Topology:
    """Return a topology of so many clusters of one node with the same pod and service ranges."""
    twelve = load_topology(TWELVE_CLUSTERS)
    model = twelve.clusters[0]
    return dataclasses.replace(
        twelve,
        name="crowd",
        clusters=tuple(
            dataclasses.replace(
                model,
                name=f"c{index:02d}",
                nodes=(NodeSpec(name=f"c{index:02d}-1", gateway=True),),
                node_cidrs=(ip_network(f"172.16.{index}.0/24"),),
                global_cidrs=(),
            )
            for index in range(1, count + 1)
        ),
    )


def _measure(implementation: Implementation, topology: Topology, seed: int) -> dict[str, Any]:
    names = [cluster.name for cluster in topology.clusters]
    random.Random(seed).shuffle(names)  # noqa: S311 - an order, no secret
    with MemberSet(implementation, topology) as members:
        members.deploy()
        pods = {name: members.pods(name)[0] for name in names}
        for pod in pods.values():
            members.apis[pod.cluster].request("POST", _path(), body=_asking(pod))
        began = time.monotonic()
        with ThreadPoolExecutor(len(names)) as hooks:
            list(hooks.map(members.join, names))
        joined = time.monotonic() - began
        known = {name: _awaited(members, pods[name]) for name in names}
        members.await_packets(permutations([known[name] for name in names], 2))
        return {
            "seed": seed,
            "all_reach_all_seconds": round(time.monotonic() - began, 2),
            "of_which_hooks": round(joined, 2),
            "duplicates": _duplicates(members),
        }


def _awaited(members: MemberSet, pod: Member) -> Member:
    """Return a pod at its global address, once it has one."""
    api = members.apis[pod.cluster]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for item in api.items(_path()):
            if address := (item.get("status") or {}).get("allocatedIP"):
                return dataclasses.replace(pod, address=ip_address(address))
        time.sleep(_LOOK)
    raise LabError(f"no global address within {PATIENCE:.0f} s", where=pod.place)


def _duplicates(members: MemberSet) -> list[str]:
    """Return what two clusters have: ranges that overlap, or an address."""
    ranges = [
        (item["spec"]["cluster_id"], ip_network(text))
        for item in members.broker.items(f"{GROUP}/clusters")
        for text in item["spec"].get("global_cidr") or ()
    ]
    if len(ranges) < len(members.apis):
        raise LabError(f"only {len(ranges)} clusters have published a global range", where="broker")
    found = [f"{one} and {other}: {a}, {b}" for (one, a), (other, b) in combinations(ranges, 2) if a.overlaps(b)]
    given: dict[str, str] = {}
    for name, api in members.apis.items():
        for path in ("globalingressips", "globalegressips", "clusterglobalegressips"):
            for item in api.items(f"{GROUP}/{path}"):
                status = item.get("status") or {}
                for address in filter(None, (status.get("allocatedIP"), *(status.get("allocatedIPs") or ()))):
                    owner = f"{name}/{item['metadata']['name']}"
                    if address in given:
                        found.append(f"{given[address]} and {owner}: {address}")
                    given[address] = owner
    return found


def _path() -> str:
    return f"{GROUP}/namespaces/{NAMESPACE}/globalingressips"


def _asking(pod: Member) -> dict[str, Any]:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "GlobalIngressIP",
        "metadata": {"name": "bench", "namespace": NAMESPACE},
        "spec": {"target": "HeadlessServicePod", "podRef": {"name": pod.place.rpartition("/")[2]}},
    }
