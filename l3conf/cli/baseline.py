"""``l3conf baseline``: whether a report shows anything besides what is known to fail."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from l3conf.cli.diff import intact_report
from l3conf.cli.printing import print_json, print_table
from l3conf.errors import UserError

if TYPE_CHECKING:
    from l3conf.model.baseline import Baseline, KnownFailure
    from l3conf.report.build import Report
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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known to fail of the implementation that a command runs; nothing where no file was given."""

    baseline: Baseline | None
    applies: bool = False
    """Whether it was written for this version: only then a failure is called known."""

    @classmethod
    def read(cls, file: Path | None, implementation: Path) -> Self:
        """Read the file; ``UserError`` if it is about another implementation."""
        from l3conf.spec.baseline_file import load_baseline  # noqa: PLC0415 - only when needed
        from l3conf.spec.files import load_implementation  # noqa: PLC0415 - likewise

        if file is None:
            return cls(None)
        found, tested = load_baseline(file), load_implementation(implementation)
        if found.name != tested.name:
            raise UserError(
                f"is about {found.name}, not {tested.name}", where=str(file), remedy="give its own baseline"
            )
        return cls(found, found.version == tested.version)

    def expected(self) -> dict[str, KnownFailure]:
        """Return what may be called known today, by requirement."""
        from l3conf.report.expectation import expected_failures  # noqa: PLC0415 - only when needed

        if self.baseline is None or not self.applies:
            return {}
        return expected_failures(self.baseline, dt.datetime.now(dt.UTC).date())

    def compared(self, report: Report) -> dict[str, object]:
        """Return the comparison of a report for programs, under its name."""
        from l3conf.report.expectation import compare_with_baseline  # noqa: PLC0415 - only when needed

        if self.baseline is None:
            return {}
        return {"baseline": comparison_json(compare_with_baseline(report, self.baseline))}

    def print_compared(self, report: Report) -> None:
        """Print the comparison of a report for people."""
        from l3conf.report.expectation import compare_with_baseline  # noqa: PLC0415 - only when needed

        if self.baseline is not None:
            print_comparison(compare_with_baseline(report, self.baseline))


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
