"""``l3conf bench cables``: one TCP stream through a cable, against the same tunnel made by hand.

Two labs of the same topology stand side by side, one with the implementation in it, one with a tunnel between its
gateway nodes made by ``ip``, ``wg`` or ``swanctl``. A pod on one gateway node sends to one on the other, now here, now
there; the receiver counts. Interleaved, because machines are noisy; the ratio of medians counts.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.bench.by_hand import TUNNELS, End
from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.members import MemberSet
from l3conf.bench.runners import UnavailableError
from l3conf.bench.streams import receive, send
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.cli.printing import print_json, print_table
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.model.topology import Topology


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cables(files: tuple[Path, ...], tunnels: tuple[str, ...], rounds: int, *, as_json: bool) -> None:
    """Measure the throughput of cables against tunnels made by hand."""
    if len(files) != len(tunnels):
        raise click.UsageError("name one --tunnel for each --impl, in the same order")
    results = [_measure(file, tunnel, rounds) for file, tunnel in zip(files, tunnels, strict=True)]
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
    topology = dataclasses.replace(load_topology(TWO_CLUSTERS), pods_per_node=1)
    try:
        with MemberSet(implementation, topology) as members:
            members.deploy()
            for cluster in topology.clusters:
                members.join(cluster.name)
            east, west = (members.pods(cluster.name)[0] for cluster in topology.clusters)
            members.await_packets([(east, west)])
            plain = EmulatedLab.start(topology)
            try:
                TUNNELS[tunnel](plain, *_ends(topology))
                for lab in (members.lab, plain):
                    receive(lab, west.place)
                for _ in range(rounds):
                    result.measured.append(send(members.lab, east.place, str(west.address)))
                    result.baseline.append(send(plain, east.place, str(west.address)))
            finally:
                plain.close()
    except UnavailableError as error:
        result.unavailable = str(error)
    return result


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
