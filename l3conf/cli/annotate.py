"""``l3conf annotate``: a report's findings beside a change on GitHub."""

from __future__ import annotations

import json
from pathlib import Path

import click

from l3conf.errors import InvalidFileError


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
def annotate(report: Path) -> int:
    """Print what broke in the REPORT folder as workflow commands, for a step of a GitHub workflow.

    Exit code 0 whatever the report says: the verdict is `certify`'s to give.
    """
    from l3conf.report.annotations import github_annotations  # noqa: PLC0415 - when needed
    from l3conf.report.output import REPORT  # noqa: PLC0415 - likewise

    file = report if report.is_file() else report / REPORT
    try:
        lines = list(github_annotations(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(
            f"cannot be read as a report: {error}", where=str(file), remedy="name the folder that certify -o wrote"
        ) from None
    for line in lines:
        click.echo(line)
    return 0
