"""``l3conf bench detection``: how soon status shows that one direction is lost, and that it is back.

Each round cuts one direction on the WAN, now this, now that, and polls what both active gateways say.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from l3conf.bench.members import MemberSet
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.errors import LabError
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.gateways import CONNECTED, latest_connections
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Callable

_PERIOD = 0.02
_PATIENCE = 30.0
_BAR = 3.0


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=6, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def detection(impl: Path, rounds: int, *, as_json: bool) -> None:
    """Measure how soon both ends report the loss of one direction, and its return."""
    implementation = load_implementation(impl)
    lost: list[float] = []
    back: list[float] = []
    with MemberSet(implementation, load_topology(TWO_CLUSTERS)) as members:
        members.deploy()
        for cluster in ("east", "west"):
            members.join(cluster)
        members.await_packets([(members.worker_pod("east"), members.worker_pod("west"))])
        for number in range(rounds):
            _until(members, "both ends say connected", lambda said: all(status == CONNECTED for status in said))
            source, destination = ("east", "west") if number % 2 else ("west", "east")
            with members.lab.cut(source, destination):
                lost.append(_until(members, "neither end says connected", lambda said: CONNECTED not in said))
            back.append(_until(members, "both ends say connected", lambda said: set(said) == {CONNECTED}))
    answer = {
        "benchmark": "detection",
        "implementation": implementation.name,
        "rounds": rounds,
        "lost_seconds": {
            "median": round(median(lost), 2),
            "worst": round(max(lost), 2),
            "bar": _BAR,
            "holds": max(lost) <= _BAR,
        },
        "back_seconds": {"median": round(median(back), 2), "worst": round(max(back), 2)},
    }
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"loss shown after {median(lost):.2f} s (worst of {rounds}: {max(lost):.2f} s)")
    click.echo(f"return shown after {median(back):.2f} s (worst: {max(back):.2f} s)")


def _until(members: MemberSet, what: str, holds: Callable[[list[str]], bool]) -> float:
    """Return the seconds until what both ends say of each other holds."""
    began = time.monotonic()
    while time.monotonic() - began < _PATIENCE:
        said = [_status(members, "east", "west"), _status(members, "west", "east")]
        if holds(said):
            return time.monotonic() - began
        time.sleep(_PERIOD)
    raise LabError(f"not within {_PATIENCE:g} s: {what}; they say {', '.join(map(repr, said))}")


def _status(members: MemberSet, cluster: str, peer: str) -> str:
    found = latest_connections(members.apis[cluster].items(f"{GROUP}/gateways")).get(peer)
    return found.status if found is not None else ""
