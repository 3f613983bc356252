"""``l3conf bench translated``: one TCP stream to a global address, against the same stream without translation.

Two labs stand side by side: one of clusters with ranges of their own, one of clusters with the same ranges. The
translated stream is measured with few and with many addresses given out: what a packet costs must not depend on them.
"""

from __future__ import annotations

import dataclasses
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.members import PATIENCE, MemberSet
from l3conf.bench.streams import receive, send
from l3conf.bench.topology import IDENTICAL_RANGES, TWO_CLUSTERS
from l3conf.cli.printing import print_json, print_table
from l3conf.errors import LabError
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation

NAMESPACE = "l3conf-probes"
PATH = f"/apis/submariner.io/v1/namespaces/{NAMESPACE}/globalingressips"
_LOOK = 0.2


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option(
    "--exports",
    "counts",
    multiple=True,
    type=click.IntRange(1, 16000),
    default=(10, 5000),
    show_default=True,
    help="Addresses given out, in ascending order.",
)
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def translated(impl: Path, counts: tuple[int, ...], rounds: int, *, as_json: bool) -> None:
    """Measure the throughput of a translated path against an untranslated one."""
    results, seconds = _measure(load_implementation(impl), sorted(counts), rounds)
    if as_json:
        figures = [result.to_json() for result in results]
        print_json({"benchmark": "translated", "rounds": rounds, "results": figures, "allocation": seconds})
        return
    columns = ("benchmark", "median", "baseline", "ratio", "bar", "")
    print_table(columns, [result.to_row() for result in results], styles={"holds": "green", "misses": "red"})
    for count, each in seconds.items():
        click.echo(
            f"{count} addresses were given out {each['seconds']} s after the first was asked for;"
            f" asking took {each['of_which_asking']} s"
        )


def _measure(
    implementation: Implementation, counts: list[int], rounds: int
) -> tuple[list[Comparison], dict[str, dict[str, float]]]:
    results: list[Comparison] = []
    seconds: dict[str, dict[str, float]] = {}
    with _joined(implementation, TWO_CLUSTERS) as plain, _joined(implementation, IDENTICAL_RANGES) as overlapping:
        pairs = []
        for members in (plain, overlapping):
            east, west = (members.pods(cluster.name)[0] for cluster in members.topology.clusters)
            receive(members.lab, west.place)
            pairs.append((east, west))
        (plain_east, plain_west), (east, west) = pairs
        plain.await_packets([(plain_east, plain_west)])
        known, _ = _timed(overlapping, west, 1)
        address = ip_address(known[0])
        overlapping.await_packets([(east, dataclasses.replace(west, address=address))])
        for count in counts:
            known, seconds[str(count)] = _timed(overlapping, west, count)
            if str(address) not in known:
                raise LabError(f"{address} was taken away when others were given out", where=west.place)
            result = Comparison(
                name=f"{implementation.name} / {count} global addresses",
                what="one TCP stream between pods on gateway nodes, Gbit/s",
                bar=Bar(limit=0.9, of="share"),
                unit="Gbit/s",
            )
            for _ in range(rounds):
                result.measured.append(send(overlapping.lab, east.place, str(address)))
                result.baseline.append(send(plain.lab, plain_east.place, str(plain_west.address)))
            results.append(result)
    return results, seconds


def _joined(implementation: Implementation, topology: Path) -> MemberSet:
    members = MemberSet(implementation, load_topology(topology))
    try:
        members.deploy()
        for cluster in members.topology.clusters:
            members.join(cluster.name)
    except BaseException:
        members.close()
        raise
    return members


def _timed(members: MemberSet, pod: Member, count: int) -> tuple[list[str], dict[str, float]]:
    """Ask until a pod has so many addresses of its own; return them in the order of asking, and what that took.

    Requests are made one after the other, and addresses are given out meanwhile.
    """
    began = time.monotonic()
    _ask(members, pod, count)
    asked = time.monotonic() - began
    known = _given(members, pod, count)
    return known, {"seconds": round(time.monotonic() - began, 2), "of_which_asking": round(asked, 2)}


def _ask(members: MemberSet, pod: Member, count: int) -> None:
    api = members.apis[pod.cluster]
    name = pod.place.rpartition("/")[2]
    there = {item["metadata"]["name"] for item in api.items(PATH)}
    for index in range(count):
        if f"bench-{index:05d}" not in there:
            api.request("POST", PATH, body=_object(f"bench-{index:05d}", name))


def _given(members: MemberSet, pod: Member, count: int) -> list[str]:
    api = members.apis[pod.cluster]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        items = sorted(api.items(PATH), key=lambda item: str(item["metadata"]["name"]))
        known = [str(address) for item in items if (address := (item.get("status") or {}).get("allocatedIP"))]
        if len(known) >= count:
            return known
        time.sleep(_LOOK)
    raise LabError(f"{count} addresses were not given out within {PATIENCE:.0f} s", where=pod.cluster)


def _object(name: str, pod: str) -> dict[str, Any]:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "GlobalIngressIP",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"target": "HeadlessServicePod", "podRef": {"name": pod}},
    }
