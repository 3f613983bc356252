"""Where the parts of the API server that concern several objects at once take part in a write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.options import User, WriteOptions
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object


@dataclass(frozen=True, slots=True)
class Change:
    """A write on its way into the store."""

    resource: Resource
    new: Object
    """Defaulted, not yet validated; ``admit`` may change it in place."""
    old: Object | None
    """What it replaces, shared; None when it is created."""
    options: WriteOptions
    subresource: str = ""


class Admission(Protocol):
    """One concern, for the storage keys that it names. Refusals are StatusErrors."""

    keys: frozenset[str]
    """Storage keys of the resources that it wants to see; empty: all."""

    def admit(self, change: Change) -> None:
        """Refuse or complete a write; nothing that it does may outlive a dry run."""

    def stored(self, change: Change) -> None:
        """Take note of a write that has been made."""

    def deleting(self, resource: Resource, obj: Object, user: User) -> None:
        """Refuse a deletion that is asked for."""

    def removed(self, resource: Resource, obj: Object) -> None:
        """Take note of an object that has gone."""


class Passive:
    """An admission that does nothing: the base for those that care about one step."""

    keys: frozenset[str] = frozenset()

    def admit(self, change: Change) -> None:
        """Let everything pass."""

    def stored(self, change: Change) -> None:
        """Do nothing."""

    def deleting(self, resource: Resource, obj: Object, user: User) -> None:
        """Let everything pass."""

    def removed(self, resource: Resource, obj: Object) -> None:
        """Do nothing."""
