"""``l3conf diff``: what changed between two reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import VERDICT_STYLES, print_json, print_table
from l3conf.errors import InvalidFileError

if TYPE_CHECKING:
    from l3conf.report.build import Report
    from l3conf.report.diff import ReportDiff


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--fail-on", type=click.Choice(["never", "regression"]), default="never", help="When to exit with 1.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(old: Path, new: Path, *, fail_on: str, as_json: bool) -> int:
    """Compare the report folders OLD and NEW, requirement by requirement. Both must be intact."""
    from l3conf.report.diff import diff_reports  # noqa: PLC0415 - only when needed

    found = diff_reports(intact_report(old), intact_report(new))
    if as_json:
        print_json(_json(found))
    else:
        _print(found)
    return 1 if fail_on == "regression" and found.regressions else 0


def intact_report(directory: Path) -> Report:
    """Return the report of a folder; ``InvalidFileError`` if it cannot be read or contradicts itself."""
    from l3conf.report.verify import verify_report  # noqa: PLC0415 - jsonschema and friends, only when needed

    verification = verify_report(directory)
    if verification.problems:
        raise InvalidFileError(
            f"is not intact: {verification.problems[0]}", where=str(directory), remedy="l3conf verify shows all"
        )
    return verification.report


def _json(found: ReportDiff) -> dict[str, object]:
    rows = [
        {
            "id": row.requirement,
            "before": row.before.value,
            "after": row.after.value,
            "direction": row.direction.value,
            "reason": row.reason,
        }
        for row in found.rows
    ]
    return {"before": found.before, "after": found.after, "rows": rows, "ground": list(found.ground)}


def _print(found: ReportDiff) -> None:
    click.echo(f"{found.before} → {found.after}")
    for difference in found.ground:
        click.echo(f"note: {difference}")
    rows = [
        [row.requirement, row.before.value, row.after.value, row.direction.value, row.reason or row.title]
        for row in found.rows
    ]
    if rows:
        styles = {**VERDICT_STYLES, "regression": "red", "improvement": "green"}
        print_table(["id", "before", "after", "change", "reason"], rows, styles=styles)
