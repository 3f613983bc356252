"""What changed between two reports: rows that were proved and are not, and the other way round. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.spec.catalogue import sort_key
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.report.build import Report


class Direction(enum.Enum):
    """How a row changed."""

    REGRESSION = "regression"
    """It was proved, and is no more; or it now fails."""
    IMPROVEMENT = "improvement"
    """It is proved now; or it fails no more."""
    OTHER = "other"
    """Neither was proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row whose verdict changed."""

    requirement: str
    title: str
    before: Verdict
    after: Verdict
    reason: str
    """Why it is not proved now."""

    @property
    def direction(self) -> Direction:
        """How it changed."""
        if self.before is Verdict.PASS or self.after is Verdict.FAIL:
            return Direction.REGRESSION
        if self.after is Verdict.PASS or self.before is Verdict.FAIL:
            return Direction.IMPROVEMENT
        return Direction.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDiff:
    """What changed between two reports."""

    before: str
    """Overall verdicts."""
    after: str
    rows: tuple[RowChange, ...] = ()
    ground: tuple[str, ...] = field(default=())
    """What else differs, so that the rows need not be compared like with like."""

    @property
    def regressions(self) -> tuple[RowChange, ...]:
        """Rows that got worse."""
        return tuple(row for row in self.rows if row.direction is Direction.REGRESSION)


def diff_reports(before: Report, after: Report) -> ReportDiff:
    """Compare two reports row by row. A row that only one of them knows was ``not_run`` in the other."""
    old, new = _by_id(before), _by_id(after)
    changes = [_change(row, old.get(row), new.get(row)) for row in sorted(old.keys() | new.keys(), key=sort_key)]
    return ReportDiff(
        before=before["verdict"]["overall"],
        after=after["verdict"]["overall"],
        rows=tuple(change for change in changes if change.before is not change.after),
        ground=tuple(_ground(before, after)),
    )


def _by_id(report: Report) -> dict[str, Mapping[str, str]]:
    return {row["id"]: row for row in report["rows"]}


def _change(requirement: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> RowChange:
    known = new or old or {}
    return RowChange(
        requirement=requirement,
        title=known.get("title", ""),
        before=Verdict(old["verdict"]) if old else Verdict.NOT_RUN,
        after=Verdict(new["verdict"]) if new else Verdict.NOT_RUN,
        reason=new["reason"] if new else "",
    )


_GROUND = (
    ("implementation", "name"),
    ("implementation", "version"),
    ("implementation", "profiles"),
    ("implementation", "features"),
    ("run", "specVersion"),
    ("run", "lab"),
    ("run", "kernel"),
    ("run", "topologies"),
    ("run", "crds"),
    ("run", "filter"),
)
"""Parts of a report that decide whether two of them are about the same question."""


def _ground(before: Report, after: Report) -> Iterator[str]:
    for part, key in _GROUND:
        old, new = before[part][key], after[part][key]
        if old != new:
            yield f"{part}.{key}: {old or 'none'} → {new or 'none'}"
    if before["run"]["budgets"] != after["run"]["budgets"]:
        yield "run.budgets differ"
