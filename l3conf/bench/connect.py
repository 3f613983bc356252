"""``l3conf bench connect``: from two fresh clusters to the first packet across, and what agents cost.

Two clocks: from before the first hook, so that deploy and both joins count, and from before the second join. Memory
is the peak resident size (VmHWM) of every container that the implementation started.
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
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.model.implementation import Implementation

_BAR_AFTER_JOIN = 2.0
_BAR_RSS_MB = 60.0


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def connect(impl: Path, rounds: int, *, as_json: bool) -> None:
    """Measure how long two fresh clusters take to connect, hooks included, and what agents cost."""
    implementation = load_implementation(impl)
    runs = [_measure(implementation) for _ in range(rounds)]
    whole, joined, memory = ([run[index] for run in runs] for index in range(3))
    answer = {
        "implementation": implementation.name,
        "rounds": rounds,
        "first_packet_seconds": {"median": round(median(whole), 2), "worst": round(max(whole), 2)},
        "from_second_join_seconds": {
            "median": round(median(joined), 2),
            "worst": round(max(joined), 2),
            "bar": _BAR_AFTER_JOIN,
            "holds": median(joined) <= _BAR_AFTER_JOIN,
        },
        "agent_peak_rss_mb": {
            "median": round(median(memory), 1),
            "worst": round(max(memory), 1),
            "bar": _BAR_RSS_MB,
            "holds": max(memory) <= _BAR_RSS_MB,
        },
    }
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"first packet after {median(whole):.2f} s (worst of {rounds}: {max(whole):.2f} s)")
    click.echo(f"of which from the second join {median(joined):.2f} s (worst: {max(joined):.2f} s)")
    click.echo(f"agents use at most {max(memory):.1f} MB")


def _measure(implementation: Implementation) -> tuple[float, float, float]:
    """Return seconds to the first packet, seconds from the second join, and the largest peak of an agent in MB."""
    topology = load_topology(TWO_CLUSTERS)
    with MemberSet(implementation, topology) as members:
        east, west = (members.worker_pod(cluster.name) for cluster in topology.clusters)
        began = time.monotonic()
        members.deploy()
        for cluster in topology.clusters:
            last_join = time.monotonic()
            members.join(cluster.name)
        members.await_packets([(east, west)])
        ended = time.monotonic()
        return ended - began, ended - last_join, max(agent.peak_rss_mb for agent in members.agents())
