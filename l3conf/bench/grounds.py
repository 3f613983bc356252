"""``l3conf bench grounds``: the same certified run on several kinds of lab, side by side.

Runs of a round follow each other with the same seed, in an order that turns from round to round. Times are compared
with those of the first ground; verdicts row by row.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.certified_run import CertifiedRun, certified
from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.cli.printing import VERDICT_STYLES, print_json, print_table
from l3conf.labs import EMULATED, MININET, emulation
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUNDS = (EMULATED, MININET)
READY_ROUNDS = 5
"""Labs of each kind that are brought up in one round: one takes a second or two, a run minutes."""
_LIMIT = 3.0
_SETTLE = 1.0
"""Seconds between two labs: the kernel takes one down in its own time."""


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), default=1, show_default=True, help="Seeds 1 to this.")
@click.option("--topology", "topologies", multiple=True, help="Only scenarios on this topology (for a quick look).")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the reports, one a ground and seed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def grounds(impl: Path, rounds: int, topologies: tuple[str, ...], keep: Path | None, *, as_json: bool) -> None:
    """Certify on the emulated lab and on Mininet: wall times and verdicts beside each other."""
    for kind in GROUNDS:
        emulation(kind).check_host()
    ready: dict[str, list[float]] = {kind: [] for kind in GROUNDS}
    runs: dict[str, list[CertifiedRun]] = {kind: [] for kind in GROUNDS}
    for seed in range(1, rounds + 1):
        turn = GROUNDS if seed % 2 else GROUNDS[::-1]
        for _ in range(READY_ROUNDS):
            for kind in turn:
                ready[kind].append(_ready(kind))
        for kind in turn:
            if not as_json:
                click.echo(f"seed {seed} on {kind}", err=True)
            folder = keep and keep / f"{kind}-seed-{seed}"
            runs[kind].append(certified(impl, seed, on=kind, keep=folder, topologies=topologies))
    results = [_comparison("lab ready", "from nothing until all of two-clusters is Ready", ready)]
    seconds = {kind: [run.seconds for run in done] for kind, done in runs.items()}
    scenarios = f"scenarios on {', '.join(topologies)}" if topologies else "every scenario of the implementation"
    results.append(_comparison("certify", f"{scenarios}, report included", seconds))
    if as_json:
        figures = [result.to_json() for result in results]
        print_json({"benchmark": "grounds", "rounds": rounds, "results": figures, **side_by_side(runs)})
        return
    columns = ("benchmark", MININET, EMULATED, "ratio", "bar", "")
    print_table(columns, [result.to_row() for result in results], styles={"holds": "green", "misses": "red"})
    _print_verdicts(side_by_side(runs))


def side_by_side(runs: Mapping[str, Sequence[CertifiedRun]]) -> dict[str, Any]:
    """Return what the reports say, by ground: overall and core verdicts, and each tested row's, one a run.

    ``rows`` has medians of seconds too; ``differing`` names the rows that are not alike everywhere.
    """
    tested = sorted({row for done in runs.values() for run in done for row in run.verdicts})
    rows = {row: {kind: _row(row, done) for kind, done in runs.items()} for row in tested}
    verdicts = {row: [each["verdicts"] for each in grounds.values()] for row, grounds in rows.items()}
    return {
        "grounds": {
            kind: {
                "overall": [run.report["verdict"]["overall"] for run in done],
                "core": [run.core for run in done],
                "versions": done[0].report["run"]["versions"],
            }
            for kind, done in runs.items()
        },
        "differing": [row for row, found in verdicts.items() if len({word for words in found for word in words}) > 1],
        "rows": rows,
    }


def _row(row: str, done: Sequence[CertifiedRun]) -> dict[str, Any]:
    lines = [next(each for each in run.report["rows"] if each["id"] == row) for run in done]
    return {
        "verdicts": [line["verdict"] for line in lines],
        "seconds": round(median(sum(test["seconds"] for test in line["tests"]) for line in lines), 1),
    }


def _ready(kind: str) -> float:
    """Return the seconds that a lab takes to come up."""
    topology = load_topology(TWO_CLUSTERS)
    time.sleep(_SETTLE)
    began = time.monotonic()
    lab = emulation(kind).start(topology)
    seconds = time.monotonic() - began
    lab.close()
    return seconds


def _comparison(name: str, what: str, seconds: Mapping[str, list[float]]) -> Comparison:
    bar = Bar(limit=_LIMIT, of="ratio")
    return Comparison(name=name, what=what, bar=bar, unit="s", measured=seconds[MININET], baseline=seconds[EMULATED])


def _print_verdicts(found: Mapping[str, Any]) -> None:
    lines = [(kind, *each["overall"], "core", *each["core"]) for kind, each in found["grounds"].items()]
    print_table(("ground", "", "", ""), lines, styles=VERDICT_STYLES)
    rows = [(row, *(", ".join(found["rows"][row][kind]["verdicts"]) for kind in GROUNDS)) for row in found["differing"]]
    click.echo(f"{len(found['rows'])} rows tested, {len(rows)} of them not alike everywhere")
    if rows:
        print_table(("row", *GROUNDS), rows, styles=VERDICT_STYLES)
