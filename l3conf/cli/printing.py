"""How commands print: JSON for programs, tables for a terminal, plain lines for a pipe."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERDICT_STYLES = {
    "pass": "green",
    "CONFORMANT": "green",
    "fail": "red",
    "NON-CONFORMANT": "red",
    "error": "magenta",
}


def print_json(value: object) -> None:
    """Print a JSON value."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print rows: a table on a terminal, tab-separated lines without a heading elsewhere.

    ``styles`` gives cells of a certain text a colour, unless ``NO_COLOR`` is set.
    """
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    _print_rich(columns, rows, styles or {})


def styled(text: str, styles: Mapping[str, str]) -> str:
    """Return ``text`` in its colour where the terminal wants colours."""
    return click.style(text, fg=styles[text]) if text in styles and _decorates() else text


def heading(text: str) -> str:
    """Return ``text`` in bold where the terminal wants decoration."""
    return click.style(text, bold=True) if _decorates() else text


def _decorates() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    # Imported here: a pipe does not pay for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table: Any = Table(box=None, header_style="bold" if _decorates() else "", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(cell, style=styles.get(cell, "") if _decorates() else "") for cell in row))
    Console().print(table)
