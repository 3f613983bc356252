"""Steps from one kernel state to another: what a diff says and a driver does."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from reference_impl.state import ForwardingEntry, Link, Neighbour, Route, Rule, Ruleset

Item: TypeAlias = Link | Neighbour | ForwardingEntry | Route | Rule | Ruleset


class Verb(enum.Enum):
    """What to do with an item."""

    SET = "set"
    """Add it, or replace what has its identity."""
    REMOVE = "remove"
    """Take it away; no error if it is gone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step for a driver."""

    verb: Verb
    item: Item

    def __str__(self) -> str:
        return f"{self.verb.value} {self.item}"
