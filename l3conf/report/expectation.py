"""A report beside what its implementation is known to fail. Pure.

A baseline never changes a verdict: rows that fail as expected are failures, here and in every file of the report, and
what fails a binding row is NON-CONFORMANT. It answers another question, that of whoever develops the implementation:
is there anything new?
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.spec.catalogue import sort_key
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.model.baseline import Baseline, KnownFailure
    from l3conf.report.build import Report


class Standing(enum.Enum):
    """How a row stands to the baseline."""

    EXPECTED = "expected"
    """It fails, as is known."""
    NEW = "new"
    """It fails, and nobody said that it would."""
    EXPIRED = "expired"
    """It fails as was known, for longer than that is an excuse."""
    UNNEEDED = "unneeded"
    """It was known to fail, and passes: the entry is to be removed."""
    UNKNOWN = "unknown"
    """It was known to fail, and this run says neither yes nor no."""

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to do something."""
        return self in {Standing.NEW, Standing.EXPIRED, Standing.UNNEEDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One row beside the baseline."""

    requirement: str
    standing: Standing
    why: str
    """The entry's reason and last day; of a new failure what the report says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A whole report beside a baseline."""

    overall: str
    """The report's verdict, which nothing here changes."""
    rows: tuple[Placed, ...] = ()
    mismatch: str = ""
    """Why the baseline is not about this implementation in this version; empty if it is."""

    @property
    def holds(self) -> bool:
        """Whether there is nothing new: exactly the known failures, none of them expired or mended."""
        return not self.mismatch and not any(row.standing.is_finding for row in self.rows)


def compare_with_baseline(report: Report, baseline: Baseline) -> Comparison:
    """Compare row by row, on the day on which the run ended: comparing again gives the same."""
    today = dt.datetime.fromisoformat(report["run"]["finishedAt"]).date()
    known = {failure.requirement: failure for failure in baseline.failures}
    rows = {row["id"]: row for row in report["rows"]}
    placed = [
        found
        for requirement in sorted(rows.keys() | known.keys(), key=sort_key)
        for found in _placed(requirement, rows.get(requirement), known.get(requirement), today)
    ]
    return Comparison(overall=report["verdict"]["overall"], rows=tuple(placed), mismatch=_mismatch(report, baseline))


def expected_failures(baseline: Baseline, today: dt.date) -> dict[str, KnownFailure]:
    """Return what may be called expected on a day, by requirement."""
    return {failure.requirement: failure for failure in baseline.failures if today <= failure.expires}


def _placed(
    requirement: str, row: Mapping[str, str] | None, known: KnownFailure | None, today: dt.date
) -> Iterator[Placed]:
    verdict = Verdict(row["verdict"]) if row is not None else Verdict.NOT_RUN
    if known is None:
        if verdict is Verdict.FAIL and row is not None:
            yield Placed(requirement=requirement, standing=Standing.NEW, why=row["reason"])
        return
    why = f"{known.reason} ({known.link}, until {known.expires})"
    yield Placed(requirement=requirement, standing=_standing(verdict, known, today), why=why)


def _standing(verdict: Verdict, known: KnownFailure, today: dt.date) -> Standing:
    """Say how a verdict stands to an entry. An error is never expected: what broke in the lab says nothing."""
    if verdict is Verdict.PASS:
        return Standing.UNNEEDED
    if today > known.expires:
        return Standing.EXPIRED
    return Standing.EXPECTED if verdict is Verdict.FAIL else Standing.UNKNOWN


def _mismatch(report: Report, baseline: Baseline) -> str:
    implementation = report["implementation"]
    if implementation["name"] != baseline.name:
        return f"it is about {baseline.name}, the report about {implementation['name']}"
    if implementation["version"] != baseline.version:
        return f"it was written for {baseline.version}, the report is about {implementation['version']}: look again"
    return ""
