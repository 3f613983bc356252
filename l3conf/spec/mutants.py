"""Which mutants of the reference implementation a requirement's tests are known to catch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMutant:
    """A row of a catalogue of mutants."""

    name: str
    sentence: str
    kills: tuple[str, ...]
    """Requirements whose tests must fail on it."""


def load_mutants(file: Path | None = None) -> tuple[KnownMutant, ...]:
    """Return the catalogue of mutants; empty where there is none."""
    path = file if file is not None else _catalogue_file()
    if not path.is_file():
        return ()
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return tuple(
        KnownMutant(name=row["name"], sentence=row.get("breaks", ""), kills=tuple(row["kills"])) for row in rows
    )


def mutants_killed_by(requirement: str, file: Path | None = None) -> list[KnownMutant]:
    """Return the mutants that the tests of a requirement catch."""
    return [mutant for mutant in load_mutants(file) if requirement in mutant.kills]


def _catalogue_file() -> Path:
    """Return where the reference implementation, beside this package, keeps its catalogue: data, never imported."""
    return Path(__file__).parents[2] / "reference_impl" / "mutants" / "catalogue.yaml"
