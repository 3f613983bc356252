"""``l3conf bench certify``: one certified run after another, each with a seed of its own.

Says how long a run takes and which rows passed in every one of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import click

from l3conf.bench.certified_run import certified
from l3conf.labs import EMULATED


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), default=10, show_default=True, help="Seeds 1 to this.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the reports, one a seed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def certify(impl: Path, rounds: int, keep: Path | None, *, as_json: bool) -> None:
    """Certify again and again with different seeds: wall time, and rows that passed every time."""
    runs = []
    for seed in range(1, rounds + 1):
        runs.append(_run(impl, seed, keep))
        if not as_json:
            run = runs[-1]
            others = f"; not passed: {', '.join(run['not_passed'])}" if run["not_passed"] else ""
            click.echo(f"seed {seed}: {run['seconds']:.1f} s, {len(run['passed'])} rows passed{others}")
    always = set.intersection(*(set(run["passed"]) for run in runs))
    seconds = [run["seconds"] for run in runs]
    answer = {
        "runs": len(runs),
        "seconds": {"median": round(median(seconds), 1), "worst": round(max(seconds), 1)},
        "passed_every_time": sorted(always),
        "failed_sometime": sorted({row for run in runs for row in run["not_passed"]}),
    }
    click.echo(json.dumps(answer) if as_json else f"median {median(seconds):.1f} s; always passed: {len(always)} rows")


def _run(impl: Path, seed: int, keep: Path | None) -> dict[str, Any]:
    run = certified(impl, seed, on=EMULATED, keep=keep and keep / f"seed-{seed}")
    return {
        "seconds": run.seconds,
        "passed": [row for row, verdict in run.verdicts.items() if verdict == "pass"],
        "not_passed": [f"{row} ({verdict})" for row, verdict in run.verdicts.items() if verdict != "pass"],
    }
