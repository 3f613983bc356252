"""``l3conf annotate``: a report's findings beside a change on GitHub."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import click

from l3conf.errors import InvalidFileError


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), help="File of known failures: they become notices.")
def annotate(report: Path, baseline: Path | None) -> int:
    """Print what broke in the REPORT folder as workflow commands, for a step of a GitHub workflow.

    Exit code 0 whatever the report says: the verdict is `certify`'s to give.
    """
    from l3conf.report.annotations import github_annotations  # noqa: PLC0415 - when needed
    from l3conf.report.expectation import expected_failures  # noqa: PLC0415 - likewise
    from l3conf.report.output import REPORT  # noqa: PLC0415 - likewise
    from l3conf.spec.baseline_file import load_baseline  # noqa: PLC0415 - likewise

    known = load_baseline(baseline) if baseline is not None else None
    file = report if report.is_file() else report / REPORT
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        day = dt.datetime.fromisoformat(content["run"]["finishedAt"]).date()
        lines = list(github_annotations(content, expected_failures(known, day) if known is not None else {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(
            f"cannot be read as a report: {error}", where=str(file), remedy="name the folder that certify -o wrote"
        ) from None
    for line in lines:
        click.echo(line)
    return 0
