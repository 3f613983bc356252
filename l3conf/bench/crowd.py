"""``l3conf bench crowd``: twenty clusters with the same ranges join at the same moment.

Each has one pod that asks for a global address. Who got the same range or address as somebody else, and after how long
does everybody reach everybody? The seed of a run decides who joins when, within a second.

What all processes used until then is told by kind: on a machine that is shared, that is what can be compared.

``--allocation`` asks the first question alone, of many more runs: the hooks of a run are as many processes as ever and
allocate at the same API server, but nothing else of the implementation runs, and what hooks answer is compared.
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
from l3conf.bench.processor import CPUMeter
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.cli.printing import print_json
from l3conf.errors import LabError
from l3conf.model.topology import NodeSpec
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import IPNetwork, Topology

BAR_SECONDS = 20.0
GROUP = "/apis/submariner.io/v1"
NAMESPACE = "l3conf-probes"
SPREAD = 1.0
"""Seconds within which all join."""
_LOOK = 0.1


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--clusters", type=click.IntRange(2, 60), default=20, show_default=True)
@click.option("--runs", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first run: who joins when.")
@click.option(
    "--allocation", is_flag=True, help="Compare the ranges that join hooks answer; run no agent, send no packet."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def crowd(impl: Path, clusters: int, runs: int, seed: int, *, allocation: bool, as_json: bool) -> None:
    """Measure clusters with identical ranges that all join at once.

    A run that fails is named, and the others go on.
    """
    implementation = load_implementation(impl)
    measure = _allocate if allocation else _measure
    results = []
    for number in range(seed, seed + runs):
        try:
            results.append(measure(implementation, crowded(clusters), number))
        except LabError as error:
            if runs == 1:
                raise
            results.append({"seed": number, "error": str(error)})
        click.echo(_line(results[-1]), err=as_json)
    if as_json:
        print_json(
            {
                "benchmark": "crowd",
                "implementation": implementation.name,
                "measured": "allocation by join hooks, without agents" if allocation else "packets among all pods",
                "clusters": clusters,
                "bar": {"duplicates": 0} if allocation else {"seconds": BAR_SECONDS, "duplicates": 0},
                "holds": all(_holds(one) for one in results),
                "runs": results,
            }
        )


def _holds(one: Mapping[str, Any]) -> bool:
    return "error" not in one and not one["duplicates"] and one.get("all_reach_all_seconds", 0.0) <= BAR_SECONDS


def _line(one: Mapping[str, Any]) -> str:
    if "error" in one:
        return f"seed {one['seed']}: {one['error']}"
    reached = f"all reach all after {one['all_reach_all_seconds']} s, " if "all_reach_all_seconds" in one else ""
    used = f", {one['cpu_seconds']} CPU seconds" if "cpu_seconds" in one else ""
    return f"seed {one['seed']}: {reached}hooks {one['of_which_hooks']} s, {len(one['duplicates'])} duplicates{used}"


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
    with MemberSet(implementation, topology) as members:
        members.deploy()
        pods = {name: members.pods(name)[0] for name in names}
        for pod in pods.values():
            members.apis[pod.cluster].request("POST", _path(), body=_asking(pod))
        meter, began = CPUMeter(members.lab.emulator_pid), time.monotonic()
        _joined(members, names, seed)
        joined = time.monotonic() - began
        known = {name: _awaited(members, pods[name]) for name in names}
        members.await_packets(permutations([known[name] for name in names], 2))
        reached, used = time.monotonic() - began, meter.used()
        return {
            "seed": seed,
            "all_reach_all_seconds": round(reached, 2),
            "cpu_seconds": round(sum(used.values()), 1),
            "cpu_seconds_by_process": used,
            "of_which_hooks": round(joined, 2),
            "duplicates": _duplicates(members),
        }


def _allocate(implementation: Implementation, topology: Topology, seed: int) -> dict[str, Any]:
    names = [cluster.name for cluster in topology.clusters]
    with MemberSet(implementation, topology, pods_per_node=0, agents=False) as members:
        members.deploy()
        began = time.monotonic()
        answers = _joined(members, names, seed)
        joined = time.monotonic() - began
    ranges = [(name, ip_network(text)) for name, said in answers.items() for text in said.get("globalCIDRs") or ()]
    if lacking := set(names) - {name for name, _ in ranges}:
        raise LabError(f"join answered no globalCIDRs: {', '.join(sorted(lacking))}", where=implementation.name)
    return {"seed": seed, "of_which_hooks": round(joined, 2), "ranges": len(ranges), "duplicates": _overlaps(ranges)}


def _joined(members: MemberSet, names: Sequence[str], seed: int) -> dict[str, Mapping[str, Any]]:
    """Let all join, each after a delay of its own, and return what their hooks answered."""
    random_ = random.Random(seed)  # noqa: S311 - delays, no secrets
    delays = {name: random_.uniform(0.0, SPREAD) for name in names}

    def join(name: str) -> Mapping[str, Any]:
        time.sleep(delays[name])
        return members.join(name)

    with ThreadPoolExecutor(len(names)) as hooks:
        return dict(zip(names, hooks.map(join, names), strict=True))


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
    # Each cluster's once: a broker may hold copies.
    published = {
        (item["spec"]["cluster_id"], text)
        for item in members.broker.items(f"{GROUP}/clusters")
        for text in item["spec"].get("global_cidr") or ()
    }
    ranges = [(owner, ip_network(text)) for owner, text in sorted(published)]
    if len(ranges) < len(members.apis):
        raise LabError(f"only {len(ranges)} clusters have published a global range", where="broker")
    found = _overlaps(ranges)
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


def _overlaps(ranges: Sequence[tuple[str, IPNetwork]]) -> list[str]:
    return [
        f"{one} and {other}: {a}, {b}"
        for (one, a), (other, b) in combinations(ranges, 2)
        if a.version == b.version and a.overlaps(b)
    ]


def _path() -> str:
    return f"{GROUP}/namespaces/{NAMESPACE}/globalingressips"


def _asking(pod: Member) -> dict[str, Any]:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "GlobalIngressIP",
        "metadata": {"name": "bench", "namespace": NAMESPACE},
        "spec": {"target": "HeadlessServicePod", "podRef": {"name": pod.place.rpartition("/")[2]}},
    }
