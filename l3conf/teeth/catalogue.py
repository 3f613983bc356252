"""Mutants of an implementation, and implementations that do nothing, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.errors import InvalidFileError, UserError
from l3conf.spec.catalogue import find_requirement
from l3conf.spec.problems import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CATALOGUE = Path("mutants/catalogue.yaml")
"""Where an implementation keeps its mutants, beside its file."""
NULL_IMPLEMENTATIONS = Path(__file__).parent / "null_implementations"
_FIELDS = {"name", "breaks", "kills", "env"}
_OPTIONAL = {"implementation", "topology"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One thing broken on purpose."""

    name: str
    breaks: str
    kills: tuple[str, ...]
    """Rows that must notice."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the hooks that throw the switch."""
    implementation: Path = Path("impl.yaml")
    """The implementation file whose hooks these are; a mutant may need features that only a variant has."""
    topology: str = ""
    """The ground on which its rows notice; empty: the first that each of their tests names."""


def load_mutants(implementation: Path) -> tuple[Mutant, ...]:
    """Return the mutants that lie beside an implementation file; ``InvalidFileError`` names what is wrong."""
    path = implementation.parent / CATALOGUE
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFileError(
            f"cannot be read: {error.strerror}", where=str(path), remedy="an implementation keeps its mutants there"
        ) from error
    except yaml.YAMLError as error:
        raise InvalidFileError(f"is no YAML: {error}", where=str(path)) from error
    if not isinstance(entries, list):
        raise InvalidFileError("is no list of mutants", where=str(path))
    mutants = tuple(_mutant(path, implementation, entry) for entry in entries)
    names = [mutant.name for mutant in mutants]
    if len(set(names)) < len(names):
        raise InvalidFileError("two mutants have one name", where=str(path))
    return mutants


def null_implementations() -> dict[str, Path]:
    """Return the implementation files of those that must pass no row of the data plane, by name."""
    files = sorted(NULL_IMPLEMENTATIONS.glob("*/impl.yaml"))
    return {path.parent.name.replace("_", "-"): path for path in files}


def choose(mutants: Sequence[Mutant], names: Sequence[str]) -> tuple[Mutant, ...]:
    """Return the named mutants, or all; ``UserError`` suggests near misses."""
    by_name = {mutant.name: mutant for mutant in mutants}
    for name in names:
        if name not in by_name:
            raise UserError(f"there is no mutant {name!r}", remedy=suggestion(name, by_name))
    return tuple(by_name[name] for name in names) if names else tuple(mutants)


def _mutant(path: Path, implementation: Path, entry: Any) -> Mutant:  # noqa: ANN401 - whatever the file holds
    if not isinstance(entry, dict) or set(entry) - _OPTIONAL != _FIELDS:
        raise InvalidFileError(f"{entry!r} is no mutant", where=str(path), remedy=f"give {', '.join(sorted(_FIELDS))}")
    try:
        kills = tuple(find_requirement(row).id for row in entry["kills"])
    except UserError as error:
        raise InvalidFileError(f"mutant {entry['name']}: {error}", where=str(path)) from error
    if not kills:
        raise InvalidFileError(f"mutant {entry['name']} kills nothing", where=str(path), remedy="name a row")
    env = {str(name): str(value) for name, value in entry["env"].items()}
    variant = path.parent.parent / entry["implementation"] if "implementation" in entry else implementation
    return Mutant(
        name=entry["name"],
        breaks=entry["breaks"],
        kills=kills,
        env=env,
        implementation=variant,
        topology=entry.get("topology", ""),
    )
