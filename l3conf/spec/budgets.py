"""The one table of times: every wait of the suite by name, with its default and its overrides."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from l3conf.errors import UserError
from l3conf.spec.package_data import load_package_yaml
from l3conf.spec.problems import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One row of ``budgets.yaml``."""

    name: str
    """``T_…`` a deadline, ``W_…`` a window of watching, ``O_…`` a tolerated outage."""
    seconds: float
    """The default."""
    text: str
    """What is waited for, from which moment."""
    source: str
    """Where the number comes from."""

    def is_loosened_by(self, seconds: float) -> bool:
        """Tell whether ``seconds`` asks less of an implementation than the default does."""
        return seconds < self.seconds if self.name.startswith("W_") else seconds > self.seconds


@dataclass(frozen=True, slots=True)
class Budgets:
    """The table with the overrides of one run."""

    table: Mapping[str, Budget]
    overrides: Mapping[str, float] = field(default_factory=dict)
    """Seconds by name, where they differ from the default."""

    @classmethod
    def default(cls) -> Budgets:
        """Return the published table."""
        return cls({budget.name: budget for budget in load_budgets()})

    def get(self, name: str) -> float:
        """Return the seconds of a budget in this run. An unknown name is a bug of the caller: ``KeyError``."""
        if name not in self.table:
            raise KeyError(f"no budget {name!r}: {suggestion(name, self.table)}")
        return self.overrides.get(name, self.table[name].seconds)

    def __iter__(self) -> Iterator[Budget]:
        return iter(self.table.values())

    def with_overrides(self, overrides: Mapping[str, float]) -> Budgets:
        """Return the table with these values in force; ``UserError`` for unknown names and impossible times."""
        for name, seconds in overrides.items():
            if name not in self.table:
                raise UserError("unknown budget", where=f"--budget {name}", remedy=suggestion(name, self.table))
            if not math.isfinite(seconds) or seconds < 0:
                raise UserError(f"{seconds} is no time", where=f"--budget {name}", remedy="give seconds, 0 or more")
        merged = {**self.overrides, **overrides}
        return replace(self, overrides={name: s for name, s in merged.items() if s != self.table[name].seconds})

    def stretched(self, factor: float) -> Mapping[str, float]:
        """Return overrides for a machine that is slower by a factor: all deadlines and outages, and no window.

        Except for W_silence, which lasts as long as an answer may take: a slow answer must not pass for silence.
        ``UserError`` for a factor below 1.
        """
        if not math.isfinite(factor) or factor < 1:
            raise UserError(f"{factor} is no factor", where="--stretch", remedy="give 1 or more")
        return {
            name: budget.seconds * factor
            for name, budget in self.table.items()
            if factor > 1 and (not name.startswith("W_") or name == "W_silence")
        }

    @property
    def patience(self) -> float:
        """How many times slower than usual a lab may be: T_lab against its default, never below 1."""
        return max(1.0, self.get("T_lab") / self.table["T_lab"].seconds)

    @property
    def loosened(self) -> tuple[str, ...]:
        """Names, in order, of overrides that ask less than the default: with one of these nothing is CONFORMANT."""
        return tuple(name for name in sorted(self.overrides) if self.table[name].is_loosened_by(self.overrides[name]))


def parse_override(text: str) -> tuple[str, float]:
    """Parse ``NAME=SECONDS`` of a command line; ``UserError`` says what is wrong."""
    name, equals, seconds = text.partition("=")
    try:
        if equals:
            return name.strip(), float(seconds)
    except ValueError:
        pass
    raise UserError(f"{text!r} is no override", where="--budget", remedy="write NAME=SECONDS, e.g. T_detect=5")


def chosen_overrides(stretch: float, texts: Iterable[str]) -> dict[str, float]:
    """Return the overrides of a command line: ``--stretch``, and what ``--budget`` says above it."""
    return {**Budgets.default().stretched(stretch), **dict(parse_override(text) for text in texts)}


@functools.cache
def load_budgets() -> tuple[Budget, ...]:
    """Return the rows of ``budgets.yaml`` in their order."""
    return tuple(
        Budget(name=row["name"], seconds=float(row["seconds"]), text=row["text"], source=row["source"])
        for row in load_package_yaml("budgets.yaml")
    )
