"""``l3conf reports``: look after the reports that are published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import print_json, print_table
from l3conf.cli.submit import REFUSED

if TYPE_CHECKING:
    from l3conf.report.submission import Examined


@click.group()
def reports() -> None:
    """Look after published reports."""


@reports.command()
@click.argument("root", type=click.Path(path_type=Path), default=Path("reports"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(root: Path, *, as_json: bool) -> int:
    """Hold every folder below ROOT (default: reports) against the rules.

    Exit codes: 0 all keep them, 1 some do not, 3 usage.
    """
    from l3conf.report.submission import check_all  # noqa: PLC0415 - jsonschema and friends, only when needed

    found = list(check_all(root))
    if as_json:
        print_json([_json(examined, root) for examined in found])
    else:
        rows = [line for examined in found for line in _lines(examined, root)]
        print_table(["", "report", ""], rows, styles={"ok": "green", "refused": "red"})
        click.echo(f"{len(found)} reports, {sum(bool(examined.objections) for examined in found)} refused", err=True)
    return REFUSED if any(examined.objections for examined in found) else 0


def _json(examined: Examined, root: Path) -> dict[str, object]:
    return {
        "report": _name(examined, root),
        "overall": _overall(examined),
        "objections": list(examined.objections),
    }


def _lines(examined: Examined, root: Path) -> list[list[str]]:
    name = _name(examined, root)
    return [["refused", name, objection] for objection in examined.objections] or [["ok", name, _overall(examined)]]


def _name(examined: Examined, root: Path) -> str:
    return examined.folder.relative_to(root).as_posix()


def _overall(examined: Examined) -> str:
    return examined.verification.overall.value if examined.verification is not None else ""
