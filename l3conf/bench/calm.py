"""``l3conf bench calm``: what flows of 100 Hz lose while nothing should be lost.

Three times as long as agents look at everything anew (resync), while the broker cannot be reached, and while each
member gets new keys. All in one run of one lab, in both directions, from worker to worker.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.continuity import continuity
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.continuity import NumberedFlow

_CONTROL = 2.0
"""Seconds of flow before and after a change: what is lost before it is the harness's."""
_RESYNC = 30.0
"""Seconds: three rounds of the slowest agent that we know of."""
_UNDER_WAY = 50
"""Packets: half a second of a flow."""
_AWAY = 8.0
"""Seconds without a broker."""


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl-wireguard.yaml"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def calm(impl: Path, *, as_json: bool) -> None:
    """Measure what is lost at resync, without the broker and at key rotation."""
    implementation = load_implementation(impl)
    with MemberSet(implementation, load_topology(TWO_CLUSTERS)) as members:
        members.deploy()
        for cluster in ("east", "west"):
            members.join(cluster)
        east, west = members.worker_pod("east"), members.worker_pod("west")
        members.await_packets([(east, west), (west, east)])

        def without_broker() -> None:
            with ExitStack() as cuts:
                for cluster in ("east", "west"):
                    cuts.enter_context(members.lab.cut(cluster, "broker"))
                    cuts.enter_context(members.lab.cut("broker", cluster))
                time.sleep(_AWAY)

        def rotation() -> bool:
            return all(members.rotate(cluster) for cluster in ("east", "west"))

        flows = [flow(east, west), flow(west, east)]
        changes: dict[str, Callable[[], object]] = {
            "resync": lambda: time.sleep(_RESYNC),
            "broker away and back": without_broker,
            "key rotation": rotation,
        }
        results = {name: _measure(members, flows, change) for name, change in changes.items()}
    answer = {"benchmark": "calm", "implementation": implementation.name, "rate_hz": 100, "changes": results}
    if as_json:
        click.echo(json.dumps(answer))
        return
    for name, result in results.items():
        click.echo(f"{name}: {result}")


def _measure(members: MemberSet, flows: list[NumberedFlow], change: Callable[[], object]) -> dict[str, Any]:
    with members.lab.flows(flows) as read:
        time.sleep(_CONTROL)
        # What is still under way proves nothing.
        control = sum(continuity(one, until=len(one.emitted) - _UNDER_WAY).lost for one in read())
        began = time.monotonic()
        done = change()
        seconds = time.monotonic() - began
        time.sleep(_CONTROL)
        read.stop()
        time.sleep(_CONTROL / 4)
        judged = [continuity(record) for record in read()]
    if done is False:
        return {"unavailable": "the implementation has no such hook"}
    lost = sum(one.lost for one in judged)
    return {
        "seconds": round(seconds, 1),
        "sent": sum(one.sent for one in judged),
        "lost": lost,
        "longest_outage_seconds": round(max(one.longest_outage for one in judged), 3),
        "lost_in_control_window": control,
        "holds": lost == 0,
    }
