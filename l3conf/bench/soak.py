"""``l3conf bench soak``: random changes to a running set under traffic, and what must hold after each.

Agents are killed, gateways crash and move, clusters leave and come back, the underlay fails, APIs are in trouble, keys,
policies, pods, Services and nodes change. After each change all pairs that should reach each other must do so within a
named budget, and no other; status must say the same; what was not touched must have lost no packet; and nothing may be
held that was not held before in the same configuration. The same seed makes the same choices; a journal repeats a run.
Ctrl-C ends it with the report of what was done. Exit code 1 if something did not hold.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet
from l3conf.bench.topology import THREE_TO_SOAK
from l3conf.soak.changes import OPTIONAL, Kind, State
from l3conf.soak.journal import Journal, changes_of
from l3conf.soak.run import Soak, chosen
from l3conf.soak.stage import Stage
from l3conf.spec.budgets import Budgets
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import Topology
    from l3conf.soak.changes import Change

_RESTART_PERIOD = 1
"""Seconds that kubelets wait before they start a container again: the least of KubeletConfiguration."""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=3600, show_default=True, help="How long.")
@click.option("--seed", type=int, help="Repeat a run's choices.")
@click.option("--stretch", type=click.FloatRange(min=1), default=1, show_default=True, help="Longer budgets.")
@click.option("--journal", type=_FILE, help="Write what is done, as JSON lines.")
@click.option("--replay", type=_FILE, help="Repeat the changes of a journal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def soak(
    impl: Path,
    seconds: float,
    seed: int | None,
    stretch: float,
    journal: Path | None,
    replay: Path | None,
    *,
    as_json: bool,
) -> None:
    """Change a running set at random under traffic for an hour, and check everything after each change."""
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    repeated = changes_of(replay) if replay else None
    implementation = load_implementation(impl)
    with ExitStack() as stack:
        file = stack.enter_context((journal or Path(os.devnull)).open("w", encoding="utf-8"))
        answer = _run(implementation, Journal(file), seed=seed, seconds=seconds, stretch=stretch, repeated=repeated)
    lines = (f"{key}: {value}" for key, value in answer.items() if not key.startswith("processes"))
    click.echo(json.dumps(answer) if as_json else "\n".join(lines))
    sys.exit(0 if answer["holds"] else 1)


def _run(
    implementation: Implementation,
    journal: Journal,
    *,
    seed: int,
    seconds: float,
    stretch: float,
    repeated: list[Change] | None,
) -> dict[str, Any]:
    began = time.monotonic()
    topology = _with_quick_restarts(load_topology(THREE_TO_SOAK))
    header = {"benchmark": "soak", "implementation": implementation.name, "topology": topology.name, "seed": seed}
    journal.write(header)
    budgets = Budgets.default()
    budgets = budgets.with_overrides(budgets.stretched(stretch))
    with MemberSet(implementation, topology) as members:
        members.deploy()
        names = [cluster.name for cluster in topology.clusters]
        for name in names:
            members.join(name)
        stage = Stage(members)
        state = State(topology=topology, members=frozenset(names), able=_able(members, stage))
        run = Soak(members, stage, state, budgets, journal, lambda line: click.echo(f"  {line}", err=True))
        run.begin()
        run.go(enumerate(repeated, start=1) if repeated else chosen(run, seed, seconds))
        report = run.report()
    stretched = {"stretch": stretch, "seconds": round(time.monotonic() - began, 1)}
    return {**header, **stretched, "unable": sorted(each.value for each in set(Kind) - state.able), **report}


def _able(members: MemberSet, stage: Stage) -> frozenset[Kind]:
    """Return what can be done with the implementation, by trying what not every one can."""
    able = frozenset(Kind) - OPTIONAL
    if stage.let_everybody_connect():
        able |= {Kind.ISOLATE, Kind.CONNECT}
    return able | {Kind.ROTATE} if members.rotate(members.topology.clusters[0].name) else able


def _with_quick_restarts(topology: Topology) -> Topology:
    clusters = (replace(cluster, max_container_restart_period=_RESTART_PERIOD) for cluster in topology.clusters)
    return replace(topology, clusters=tuple(clusters))
