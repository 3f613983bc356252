"""``l3conf submit``: a report goes where published ones lie, if their rules let it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import VERDICT_STYLES, print_json, styled
from l3conf.errors import UserError

if TYPE_CHECKING:
    from l3conf.report.submission import Examined

REFUSED = 1
"""Exit code: the rules forbid it."""


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--into",
    "root",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="The folder of published reports, in a clone of l3conf.",
)
@click.option("--dry-run", is_flag=True, help="Say where it would go, or why it may not; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def submit(report: Path, root: Path, *, dry_run: bool, as_json: bool) -> int:
    """Verify the REPORT folder and lay it where reports are published, for a pull request.

    Exit codes: 0 it lies there (or would), 1 the rules forbid it, 3 usage.
    """
    from l3conf.report.submission import examine, lay  # noqa: PLC0415 - jsonschema and friends, only when needed

    if not dry_run and not root.is_dir():
        raise UserError("is no folder", where=str(root), remedy="run it in a clone of l3conf, or give --into")
    examined = examine(report.parent if report.is_file() else report)
    accepted = not examined.objections
    written = accepted and not dry_run and lay(examined, root)
    if as_json:
        print_json(_json(examined, root, written=written))
    else:
        _print(examined, root, written=written, dry_run=dry_run)
    return 0 if accepted else REFUSED


def _json(examined: Examined, root: Path, *, written: bool) -> dict[str, object]:
    return {
        "accepted": not examined.objections,
        "objections": list(examined.objections),
        "destination": str(root / examined.home) if examined.home is not None else None,
        "written": written,
    }


def _print(examined: Examined, root: Path, *, written: bool, dry_run: bool) -> None:
    if examined.home is None or examined.objections:
        for objection in examined.objections:
            click.echo(f"refused: {objection}")
        return
    report = examined.verification.report if examined.verification is not None else {}
    overall = styled(report["verdict"]["overall"], VERDICT_STYLES)
    done = "would be written to" if dry_run else "written to" if written else "lies already in"
    click.echo(f"{overall}: {done} {root / examined.home}")
    if written:
        click.echo("Commit that folder and open a pull request.")
