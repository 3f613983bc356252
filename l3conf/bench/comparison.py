"""What a benchmark found, as values: medians, ratios, and whether a bar holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

_AT_LEAST = frozenset({"speedup", "share"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a figure must reach. A ratio travels from machine to machine, a time does not."""

    limit: float
    of: str
    """At most: ``ratio`` (measured / baseline), ``median``. At least: ``speedup`` (baseline / measured), ``share``
    (measured / baseline)."""

    def holds(self, value: float) -> bool:
        """Tell whether a value reaches the bar."""
        return value >= self.limit if self.of in _AT_LEAST else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.of in _AT_LEAST else '<='} {self.limit:g}{'' if self.of == 'median' else 'x'}"


@dataclass(slots=True, kw_only=True)
class Comparison:
    """One line of a benchmark: what was measured, against what, and the bar."""

    name: str
    what: str
    """What is timed, in words."""
    bar: Bar
    unit: str = "ms"
    measured: list[float] = field(default_factory=list)
    """One figure a round."""
    baseline: list[float] = field(default_factory=list)
    """One figure a round, of the same work done by somebody else; empty if there is none."""
    unavailable: str = ""
    """Why it could not be measured here."""

    @property
    def value(self) -> float:
        """The figure that the bar is about."""
        if self.bar.of == "median":
            return median(self.measured)
        mine, theirs = median(self.measured), median(self.baseline)
        return theirs / mine if self.bar.of == "speedup" else mine / theirs

    def to_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        head: dict[str, Any] = {"name": self.name, "what": self.what, "bar": str(self.bar)}
        if self.unavailable:
            return head | {"unavailable": self.unavailable}
        figures: dict[str, Any] = {"unit": self.unit, "median": round(median(self.measured), 3)}
        if self.baseline:
            figures |= {"baseline_median": round(median(self.baseline), 3), self.bar.of: round(self.value, 2)}
        rounds = {"measured": [round(figure, 3) for figure in self.measured]}
        if self.baseline:
            rounds["baseline"] = [round(figure, 3) for figure in self.baseline]
        return head | figures | {"holds": self.bar.holds(self.value), "rounds": rounds}

    def to_row(self) -> tuple[str, ...]:
        """Return the figures for people: name, median, baseline, ratio, bar, whether it holds."""
        if self.unavailable:
            return self.name, "", "", "", str(self.bar), f"not measured: {self.unavailable}"
        own = f"{median(self.measured):.1f} {self.unit}"
        theirs = f"{median(self.baseline):.1f} {self.unit}" if self.baseline else ""
        ratio = "" if self.bar.of == "median" else f"{self.value:.2f}x"
        return self.name, own, theirs, ratio, str(self.bar), "holds" if self.bar.holds(self.value) else "misses"
