"""``l3conf bench cables``: one TCP stream through a cable, against the same tunnel made by hand.

Two labs of the same topology stand side by side, one with the implementation in it, one with a tunnel between its
gateway nodes made by ``ip``, ``wg`` or ``swanctl``. A pod on one gateway node sends to one on the other, now here, now
there; the receiver counts. Interleaved, because machines are noisy; the ratio of medians counts.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.bench.by_hand import HELD, TUNNELS, End
from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.members import MemberSet
from l3conf.bench.runners import UnavailableError
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.cli.printing import print_json, print_table
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.model.topology import Topology

SECONDS = 2.0
"""How long one stream sends."""
_PORT = 9900
_TIMEOUT = 60.0
_RECEIVER = f"""
import socket, time
listener = socket.create_server(("", {_PORT}))
while True:
    stream, _ = listener.accept()
    began, received, room = time.monotonic(), 0, bytearray(1 << 20)
    while size := stream.recv_into(room):
        received += size
    stream.sendall(b"%d %f" % (received, time.monotonic() - began))
    stream.close()
"""
_SENDER = """
import socket, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        stream = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
stream.settimeout(30)
chunk, end = bytes(1 << 18), time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    stream.sendall(chunk)
stream.shutdown(socket.SHUT_WR)
print(stream.recv(64).decode())
"""


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
                    _receive(lab, west.place)
                for _ in range(rounds):
                    result.measured.append(_send(members.lab, east.place, str(west.address)))
                    result.baseline.append(_send(plain, east.place, str(west.address)))
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


def _receive(lab: EmulatedLab, place: str) -> None:
    """Start a receiver in a pod; it ends with its lab."""
    own = EmulatedLab(lab.topology, lab.state)

    def run() -> None:
        try:
            own.run(place, _python(_RECEIVER), timeout=float(HELD))
        except LabError:  # the lab has ended
            return

    threading.Thread(target=run, daemon=True).start()


def _send(lab: EmulatedLab, place: str, address: str) -> float:
    """Return the throughput of one stream in Gbit/s, as its receiver counted it."""
    argv = [*_python(_SENDER), address, str(_PORT), str(SECONDS)]
    code, answer, said = lab.run(place, argv, timeout=_TIMEOUT)
    if code:
        raise LabError(f"a stream broke off: {said.strip()[-300:]}", where=place)
    received, seconds = answer.split()
    return int(received) * 8 / float(seconds) / 1e9


def _python(program: str) -> list[str]:
    return [shutil.which("python3") or sys.executable, "-S", "-c", program]
