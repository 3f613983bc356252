"""``l3conf bench certify``: one certified run after another, each with a seed of its own.

Says how long a run takes and which rows passed in every one of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.certified_run import certified
from l3conf.labs import EMULATED

if TYPE_CHECKING:
    from l3conf.bench.certified_run import CertifiedRun


@click.command()
@click.argument("rows", nargs=-1, metavar="[L3-F5|L3-F]...")
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), default=10, show_default=True, help="Seeds 1 to this.")
@click.option("-n", "--workers", type=click.IntRange(min=1), help="Worker processes (default: as certify).")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the reports, one a seed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def certify(
    rows: tuple[str, ...], impl: Path, rounds: int, workers: int | None, keep: Path | None, *, as_json: bool
) -> None:
    """Certify again and again with different seeds: wall time, and rows that passed every time.

    All rows, or those that are named, by id or by section.
    """
    runs = []
    for seed in range(1, rounds + 1):
        folder = keep and keep / f"seed-{seed}"
        runs.append(_summary(certified(impl, seed, on=EMULATED, keep=folder, rows=rows, workers=workers)))
        run = runs[-1]
        others = f"; not passed: {', '.join(run['not_passed'])}" if run["not_passed"] else ""
        anew = f"; begun anew: {', '.join(run['begun_anew'])}" if run["begun_anew"] else ""
        line = f"seed {seed}: {run['seconds']:.1f} s, {len(run['passed'])} rows passed{others}{anew}"
        click.echo(line, err=as_json)
    always = set.intersection(*(set(run["passed"]) for run in runs))
    seconds = [run["seconds"] for run in runs]
    answer = {
        "benchmark": "certify",
        "rows": list(rows),
        "runs": len(runs),
        "seconds": {"median": round(median(seconds), 1), "worst": round(max(seconds), 1)},
        "passed_every_time": sorted(always),
        "failed_sometime": sorted({row for run in runs for row in run["not_passed"]}),
        "begun_anew": sum(len(run["begun_anew"]) for run in runs),
    }
    click.echo(json.dumps(answer) if as_json else f"median {median(seconds):.1f} s; always passed: {len(always)} rows")


def _summary(run: CertifiedRun) -> dict[str, Any]:
    return {
        "seconds": round(run.seconds, 1),
        "passed": [row for row, verdict in run.verdicts.items() if verdict == "pass"],
        "not_passed": [f"{row} ({verdict})" for row, verdict in run.verdicts.items() if verdict != "pass"],
        "begun_anew": [repeat["test"].rpartition("::")[2] for repeat in run.report.get("repeats", ())],
    }
