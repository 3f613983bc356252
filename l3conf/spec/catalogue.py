"""The catalogue of requirements: rows, features and profiles as values."""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.errors import UserError
from l3conf.spec.package_data import load_package_yaml
from l3conf.spec.problems import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping


class Level(enum.Enum):
    """RFC 2119 key words (BCP 14) that rows use."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    MAY = "MAY"

    @property
    def mandatory(self) -> bool:
        """Whether an implementation that does otherwise is non-conformant."""
        return self in {Level.MUST, Level.MUST_NOT}


class Support(enum.Enum):
    """How a row binds an implementation that claims its profile."""

    CORE = "core"
    """Always."""
    EXTENDED = "extended"
    """If its feature is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Why a row was changed after it was first written."""

    was: Mapping[str, str]
    """Former values of the changed fields."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One row of the specification."""

    id: str
    """``L3-<section letter><number>``; never reused."""
    title: str
    """The row as a statement that holds."""
    level: Level
    profile: str
    feature: str
    support: Support
    text: str
    observe: str
    """How it is seen from outside."""
    kep: str = ""
    """Part of the 2019 proposal that asks for it; empty if none does."""
    sources: tuple[str, ...] = ()
    """Standards, proposals and public threads."""
    budgets: tuple[str, ...] = ()
    """Rows of the table of budgets that bound it."""
    correction: Correction | None = field(default=None, compare=False)

    @property
    def core(self) -> bool:
        """Whether it binds every implementation that claims the profile."""
        return self.support is Support.CORE

    @property
    def sort_key(self) -> tuple[str, int]:
        """Section, then number: L3-B9 before L3-B10."""
        return sort_key(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A group of rows."""

    name: str
    profile: str
    support: Support
    sentence: str

    @property
    def extended(self) -> bool:
        """Whether an implementation declares it, rather than owing it with the profile."""
        return self.support is Support.EXTENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an implementation claims as a whole."""

    name: str
    sentence: str


@functools.cache
def load_requirements() -> tuple[Requirement, ...]:
    """Return all rows in the order of the specification."""
    return tuple(_requirement(row) for row in load_package_yaml("requirements.yaml"))


@functools.cache
def load_features() -> tuple[Feature, ...]:
    """Return all features in the order of the specification."""
    rows = load_package_yaml("features.yaml")
    return tuple(Feature(**{**row, "support": Support(row["support"])}) for row in rows)


@functools.cache
def load_profiles() -> tuple[Profile, ...]:
    """Return all profiles, ``core`` first."""
    return tuple(Profile(**row) for row in load_package_yaml("profiles.yaml"))


@functools.cache
def requirements_by_id() -> Mapping[str, Requirement]:
    """Return all rows by id."""
    return {row.id: row for row in load_requirements()}


def find_requirement(requirement_id: str) -> Requirement:
    """Return one row, in any spelling of its case; ``UserError`` suggests near misses."""
    rows = requirements_by_id()
    wanted = requirement_id.strip().upper()
    for candidate in (wanted, f"L3-{wanted}"):
        if candidate in rows:
            return rows[candidate]
    remedy = suggestion_for(wanted, rows)
    raise UserError(f"there is no requirement {requirement_id!r}", remedy=remedy)


def find_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the rows of a section (``L3-F``, ``F``), or the one of that id; ``UserError`` suggests near misses."""
    section = re.fullmatch(r"(?:L3-)?([A-Z])", text.strip().upper())
    rows = tuple(row for row in load_requirements() if section and row.id.startswith(f"L3-{section[1]}"))
    return rows or (find_requirement(text),)


def suggestion_for(wanted: str, known: Collection[str]) -> str:
    """Return a remedy for an unknown id: the nearest ids of its section, or where all are listed."""
    match = re.fullmatch(r"(?:L3-?)?([A-Z])-?(\d*)", wanted)
    section = sorted((row for row in known if match and row.startswith(f"L3-{match[1]}")), key=sort_key)
    if section:
        return f"section {section[0][3]} has {section[0]} to {section[-1]}"
    near = suggestion(wanted, known)
    return near if near.startswith("did you mean") else "`l3conf list` shows all"


def select(
    rows: Iterable[Requirement],
    *,
    profiles: Collection[str] = (),
    features: Collection[str] = (),
    levels: Collection[Level] = (),
) -> list[Requirement]:
    """Return the rows that match every filter that is not empty, in their order."""
    filters: list[Callable[[Requirement], bool]] = []
    if profiles:
        filters.append(lambda row: row.profile in profiles)
    if features:
        filters.append(lambda row: row.feature in features)
    if levels:
        filters.append(lambda row: row.level in levels)
    return [row for row in rows if all(matches(row) for matches in filters)]


def sort_key(requirement_id: str) -> tuple[str, int]:
    """Return section and number of an id, for sorting: L3-B9 before L3-B10."""
    return requirement_id[3], int(requirement_id[4:])


def _requirement(row: Mapping[str, Any]) -> Requirement:
    fields = dict(row)
    correction = fields.pop("correction", None)
    return Requirement(
        id=fields.pop("id"),
        level=Level(fields.pop("level")),
        support=Support(fields.pop("support")),
        sources=tuple(fields.pop("sources", ())),
        budgets=tuple(fields.pop("budgets", ())),
        correction=Correction(**correction) if correction else None,
        **fields,
    )
