"""What a stream saw, as it is drawn: a row a flow, what was lost in it, and what happened meanwhile. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Row:
    """One flow, in seconds since the stream began."""

    name: str
    begins: float
    controlled: float
    """When its control window ended: what was lost before proves nothing."""
    ends: float
    gaps: tuple[tuple[float, float], ...]
    """Begin and length of each run of packets that never arrived."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, in seconds since the stream began."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The flows of one stream, and the moments of the run that may have disturbed them."""

    rows: tuple[Row, ...]
    moments: tuple[Moment, ...]

    def told_by(self, words: Callable[[str], str]) -> Timeline:
        """Return the same with every text as ``words`` makes it."""
        rows = (Row(words(row.name), row.begins, row.controlled, row.ends, row.gaps) for row in self.rows)
        return Timeline(tuple(rows), tuple(Moment(each.at, words(each.text)) for each in self.moments))
