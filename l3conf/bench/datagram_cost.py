"""What one datagram costs more here than there: pairs of figures, and what they say. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

_FEWEST = 5
"""Rounds below which nothing is said."""


@dataclass(slots=True, kw_only=True)
class DatagramCost:
    """One line: the cost of a datagram through a cable and through the tunnel by hand, in nanoseconds.

    A round is measured at both within milliseconds, so that what else the machine does is in both of its figures. Their
    difference is what counts; medians of each side taken alone may lie rounds apart.
    """

    name: str
    rounds: list[tuple[float, float]] = field(default_factory=list)
    """The cable's figure and that of the tunnel by hand, round by round."""
    unavailable: str = ""
    """Why it could not be measured here."""

    @property
    def difference(self) -> float:
        """How much more a datagram costs through the cable: the median over rounds."""
        return median(self._differences())

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles between which half of the rounds' differences lie."""
        first, _, third = quantiles(self._differences(), n=4)
        return first, third

    def _differences(self) -> list[float]:
        return [own - theirs for own, theirs in self.rounds]

    def _missing(self) -> str:
        if not self.unavailable and len(self.rounds) < _FEWEST:
            return f"only {len(self.rounds)} bursts were near another's"
        return self.unavailable

    def to_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        if missing := self._missing():
            return {"name": self.name, "unavailable": missing}
        own, theirs = zip(*self.rounds, strict=True)
        return {
            "name": self.name,
            "unit": "ns",
            "median": round(median(own)),
            "baseline_median": round(median(theirs)),
            "difference": round(self.difference),
            "quartiles": [round(each) for each in self.spread],
            "rounds": [[round(each) for each in pair] for pair in self.rounds],
        }

    def to_row(self) -> tuple[str, ...]:
        """Return the figures for people: name, median, baseline, difference, the difference's quartiles."""
        if missing := self._missing():
            return self.name, "", "", "", f"not measured: {missing}"
        own, theirs = zip(*self.rounds, strict=True)
        first, third = self.spread
        return (
            self.name,
            f"{median(own):.0f} ns",
            f"{median(theirs):.0f} ns",
            f"{self.difference:+.0f} ns",
            f"{first:+.0f} to {third:+.0f}",
        )
