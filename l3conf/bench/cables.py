"""``l3conf bench cables``: one TCP stream through a cable, against the same tunnel made by hand.

Two labs of the same topology stand side by side, one with the implementation in it, one with a tunnel between its
gateway nodes made by ``ip``, ``wg`` or ``swanctl``. A pod on one gateway node sends to one on the other, now here, now
there; the receiver counts. Interleaved, because machines are noisy; the ratio of medians counts.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.bench.by_hand import TUNNELS, End
from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.datagram_cost import DatagramCost
from l3conf.bench.datagrams import measure
from l3conf.bench.members import MemberSet
from l3conf.bench.runners import UnavailableError
from l3conf.bench.streams import receive, send
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.cli.printing import print_json, print_table
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import Topology

_SETTLED = 15.0
"""Seconds after the first packet. Agents write what they have found for some seconds; for libipsec, whose packets take
all processors, that was 7 % of the first second and 0.5 % afterwards."""


@click.command()
@click.option(
    "--impl",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    default=tuple(Path("reference_impl", f"impl{driver}.yaml") for driver in ("", "-wireguard", "-ipsec")),
    show_default=True,
    help="Implementation files.",
)
@click.option(
    "--tunnel",
    "tunnels",
    multiple=True,
    type=click.Choice(list(TUNNELS)),
    default=("vxlan", "wireguard", "ipsec"),
    show_default=True,
    help="For each file in turn, the tunnel made by hand that its cable is measured against.",
)
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option(
    "--datagrams",
    is_flag=True,
    help="Measure what one datagram costs instead, with and without the implementation's filters (VXLAN only).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cables(files: tuple[Path, ...], tunnels: tuple[str, ...], rounds: int, *, datagrams: bool, as_json: bool) -> None:
    """Measure the throughput of cables against tunnels made by hand."""
    if len(files) != len(tunnels):
        raise click.UsageError("name one --tunnel for each --impl, in the same order")
    pairs = list(zip(files, tunnels, strict=True))
    if datagrams:
        _print_costs([cost for file, tunnel in pairs for cost in _costs(file, tunnel, rounds)], rounds, as_json=as_json)
        return
    results = [_measure(file, tunnel, rounds) for file, tunnel in pairs]
    if as_json:
        print_json({"benchmark": "cables", "rounds": rounds, "results": [result.to_json() for result in results]})
        return
    columns = ("benchmark", "median", "baseline", "ratio", "bar", "")
    print_table(columns, [result.to_row() for result in results], styles={"holds": "green", "misses": "red"})


def _measure(file: Path, tunnel: str, rounds: int) -> Comparison:
    implementation = load_implementation(file)
    result = Comparison(
        name=f"{implementation.name} / {tunnel} by hand",
        what="one TCP stream between pods on gateway nodes, Gbit/s",
        bar=Bar(limit=0.97, of="share"),
        unit="Gbit/s",
    )
    try:
        with _side_by_side(implementation, tunnel) as (members, plain, east, west):
            for lab in (members.lab, plain):
                receive(lab, west.place)
            _settle(members, plain, east.place, str(west.address))
            for _ in range(rounds):
                result.measured.append(send(members.lab, east.place, str(west.address)))
                result.baseline.append(send(plain, east.place, str(west.address)))
    except UnavailableError as error:
        result.unavailable = str(error)
    return result


def _settle(members: MemberSet, plain: EmulatedLab, sender: str, receiver: str) -> None:
    """Send without counting until the work of joining, which is not the cable's, is done."""
    began = time.monotonic()
    while time.monotonic() - began < _SETTLED:
        for lab in (members.lab, plain):
            send(lab, sender, receiver)


def _costs(file: Path, tunnel: str, rounds: int) -> list[DatagramCost]:
    implementation = load_implementation(file)
    try:
        with _side_by_side(implementation, tunnel) as (members, plain, east, west):
            ends = _ends(members.topology)
            return measure(members, plain, ends, (east.place, west.place), str(west.address), rounds)
    except UnavailableError as error:
        return [DatagramCost(name=f"{implementation.name} / {tunnel} by hand", unavailable=str(error))]


def _print_costs(costs: list[DatagramCost], rounds: int, *, as_json: bool) -> None:
    if as_json:
        found = [cost.to_json() for cost in costs]
        print_json({"benchmark": "cables", "what": "datagrams", "rounds": rounds, "results": found})
        return
    print_table(("a datagram", "median", "baseline", "difference", "half of them"), [cost.to_row() for cost in costs])


@contextmanager
def _side_by_side(
    implementation: Implementation, tunnel: str
) -> Iterator[tuple[MemberSet, EmulatedLab, Member, Member]]:
    """Hold both labs, connected, and yield them with the pods that send and receive in either."""
    topology = dataclasses.replace(load_topology(TWO_CLUSTERS), pods_per_node=1)
    with MemberSet(implementation, topology) as members:
        members.deploy()
        for cluster in topology.clusters:
            members.join(cluster.name)
        east, west = (members.pods(cluster.name)[0] for cluster in topology.clusters)
        members.await_packets([(east, west)])
        plain = EmulatedLab.start(topology)
        try:
            TUNNELS[tunnel](plain, *_ends(topology))
            yield members, plain, east, west
        finally:
            plain.close()


def _ends(topology: Topology) -> tuple[End, End]:
    one, other = (
        End(
            place=f"{cluster.name}@{cluster.nodes[0].name}",
            underlay=node_addresses(cluster, 0)[0],
            pods=cluster.pod_cidrs[0],
            inner=f"169.254.77.{number}",
        )
        for number, cluster in enumerate(topology.clusters, 1)
    )
    return one, other
