"""``l3conf bench outages``: how exactly numbered flows measure outages that were injected, with no implementation.

A path between two hosts is cut for a while, again and again. The moment at which a cut began lies between the call
and its answer, and so does its end: the outage that a flow shows has to be within one period of what lies between.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.continuity import NumberedFlow, continuity
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.probes.wire import PORT
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from l3conf.continuity import FlowRecord
    from l3conf.labs.base import Lab

OUTAGES = 0.050, 0.300, 1.000
"""Seconds."""
RATE = 100.0
_CALM = 0.3
"""Seconds of flow before and after a cut."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One outage: how long it was at least and at most, and how long the flow says, in seconds."""

    shortest: float
    longest: float
    measured: float

    def holds(self, period: float) -> bool:
        """Say whether the flow is right to within one period. Pure."""
        return self.shortest - period <= self.measured <= self.longest + period


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=20, help="Outages of each length.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def outages(rounds: int, *, as_json: bool) -> None:
    """Measure outages that were injected."""
    topology = replace(load_topology(TWO_CLUSTERS), pods_per_node=0)
    lab = EmulatedLab.start(topology)
    try:
        results = {f"{seconds * 1000:.0f} ms": _measure(lab, seconds, rounds) for seconds in OUTAGES}
    finally:
        lab.close()
    if as_json:
        click.echo(json.dumps({"benchmark": "outages", "rate_hz": RATE, "period_ms": 1000 / RATE, "outages": results}))
        return
    for name, result in results.items():
        click.echo(f"{name}: {result}")


def _measure(lab: Lab, seconds: float, rounds: int) -> dict[str, Any]:
    period = 1 / RATE
    seen = [inject(lab, seconds, f"{int(seconds * 1000):08x}{number:08x}") for number in range(rounds)]
    errors = [max(one.shortest - one.measured, one.measured - one.longest, 0.0) for one in seen]
    return {
        "within_one_period": sum(one.holds(period) for one in seen),
        "of": rounds,
        "worst_error_ms": round(1000 * max(errors), 1),
        "least_certain_ms": round(1000 * max(one.longest - one.shortest for one in seen), 1),
        "holds": all(one.holds(period) for one in seen),
    }


def inject(lab: Lab, seconds: float, identity: str) -> Injected:
    """Cut the path under a flow once, for about so many seconds."""
    first, second = lab.topology.clusters[:2]
    source, target = (f"{cluster.name}@{cluster.nodes[0].name}" for cluster in (first, second))
    flow = NumberedFlow(
        id=identity,
        source=source,
        destination=node_addresses(second, 0)[0],
        port=PORT,
        receivers=(target,),
        rate=RATE,
    )
    with lab.flows([flow]) as read:
        time.sleep(_CALM)
        asked = time.monotonic()
        with lab.cut(first.name, second.name):
            begun = time.monotonic()
            time.sleep(seconds)
            ending = time.monotonic()
        ended = time.monotonic()
        time.sleep(_CALM)
        read.stop()
        time.sleep(_CALM)
        [record] = read()
    return Injected(ending - begun, ended - asked, _longest(record))


def _longest(record: FlowRecord) -> float:
    return continuity(record).longest_outage
