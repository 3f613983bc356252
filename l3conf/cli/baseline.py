"""``l3conf baseline``: whether a report shows anything besides what is known to fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.diff import intact_report
from l3conf.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from l3conf.report.expectation import Comparison

SOMETHING_NEW = 1
_STYLES = {"new": "red", "expired": "red", "unneeded": "yellow", "expected": "magenta", "unknown": "yellow"}


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.argument("baseline", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def baseline(report: Path, baseline: Path, *, as_json: bool) -> int:
    """Hold the REPORT folder against the file BASELINE of known failures. It changes no verdict.

    Exit codes: 0 exactly what is known, 1 something is new, expired or mended, 3 usage.
    """
    from l3conf.report.expectation import compare_with_baseline  # noqa: PLC0415 - only when needed
    from l3conf.spec.baseline_file import load_baseline  # noqa: PLC0415 - likewise

    known = load_baseline(baseline)
    found = compare_with_baseline(intact_report(report), known)
    if as_json:
        print_json(comparison_json(found))
    else:
        print_comparison(found)
    return 0 if found.holds else SOMETHING_NEW


def comparison_json(found: Comparison) -> dict[str, object]:
    """Return a comparison for programs."""
    rows = [{"id": row.requirement, "standing": row.standing.value, "why": row.why} for row in found.rows]
    return {"holds": found.holds, "overall": found.overall, "mismatch": found.mismatch, "rows": rows}


def print_comparison(found: Comparison) -> None:
    """Print a comparison for people."""
    if found.mismatch:
        click.echo(f"baseline: {found.mismatch}")
    rows = [[row.standing.value, row.requirement, row.why] for row in found.rows]
    if rows:
        print_table(["baseline", "id", "why"], rows, styles=_STYLES)
    known = "nothing besides what is known" if found.holds else "not what is known"
    click.echo(f"baseline: {known}; the verdict stays {found.overall}")
