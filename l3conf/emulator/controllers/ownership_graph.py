"""Who depends on whom: the graph that the garbage collector decides on. Pure."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from l3conf.emulator.controllers.cache import Key

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True, slots=True)
class Reference:
    """One owner reference."""

    uid: str
    api_version: str
    kind: str
    name: str
    blocks: bool
    """``blockOwnerDeletion``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One object, as far as garbage collection cares."""

    uid: str
    resource: str
    key: Key
    owners: tuple[Reference, ...]
    deleting: bool
    finalizers: tuple[str, ...]

    @classmethod
    def of(cls, resource: str, key: Key, obj: Mapping[str, Any]) -> Member:
        """Read an object."""
        metadata = obj["metadata"]
        return cls(
            uid=metadata["uid"],
            resource=resource,
            key=key,
            owners=tuple(
                Reference(
                    item["uid"], item["apiVersion"], item["kind"], item["name"], bool(item.get("blockOwnerDeletion"))
                )
                for item in metadata.get("ownerReferences") or ()
            ),
            deleting=bool(metadata.get("deletionTimestamp")),
            finalizers=tuple(metadata.get("finalizers") or ()),
        )

    @property
    def waits_for_dependents(self) -> bool:
        """Whether the object is being deleted in the foreground."""
        return self.deleting and FOREGROUND in self.finalizers


class Action(enum.Enum):
    """What becomes of an object."""

    KEEP = "keep"
    DELETE = "delete"
    DELETE_IN_FOREGROUND = "delete in foreground"
    DROP_REFERENCES = "drop references"
    """Some owners remain; the references to the others go."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one object; ``keep`` are the uids of owners whose references stay."""

    action: Action
    keep: frozenset[str] = frozenset()


class OwnershipGraph:
    """Objects by uid and their dependents. Cross-namespace ownership does not count."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._dependents: dict[str, set[str]] = defaultdict(set)

    def put(self, member: Member) -> None:
        """Take a new or changed object."""
        self.remove(member.uid)
        self.members[member.uid] = member
        for owner in member.owners:
            self._dependents[owner.uid].add(member.uid)

    def remove(self, uid: str) -> None:
        """Forget an object; its dependents stay."""
        member = self.members.pop(uid, None)
        for owner in member.owners if member is not None else ():
            self._dependents[owner.uid].discard(uid)
            if not self._dependents[owner.uid]:
                del self._dependents[owner.uid]

    def dependents(self, uid: str) -> list[Member]:
        """Return the objects that name ``uid`` as an owner."""
        return [self.members[item] for item in sorted(self._dependents.get(uid, ()))]

    def blocking(self, uid: str) -> list[Member]:
        """Return the dependents that hold up the foreground deletion of ``uid``."""
        return [
            member
            for member in self.dependents(uid)
            if any(owner.uid == uid and owner.blocks for owner in member.owners)
        ]

    def of_resource(self, resource: str) -> list[Member]:
        """Return all objects of one resource."""
        return [member for member in self.members.values() if member.resource == resource]

    def decide(self, member: Member, exists: Callable[[Member, Reference], bool]) -> Decision:
        """Decide on an object by its owners; ``exists`` is asked about owners that the graph does not have."""
        if not member.owners or member.deleting:
            return Decision(Action.KEEP)
        solid: list[Reference] = []
        going: list[Reference] = []
        for reference in member.owners:
            owner = self._owner(member, reference)
            if owner is not None and owner.waits_for_dependents:
                going.append(reference)
            elif owner is not None or exists(member, reference):
                solid.append(reference)
        if solid:
            keep = _uids(solid)
            return Decision(Action.KEEP if keep == _uids(member.owners) else Action.DROP_REFERENCES, keep)
        if going and self.dependents(member.uid):
            return Decision(Action.DELETE_IN_FOREGROUND)
        return Decision(Action.DELETE)

    def _owner(self, member: Member, reference: Reference) -> Member | None:
        owner = self.members.get(reference.uid)
        if owner is None or owner.key.namespace not in {"", member.key.namespace}:
            return None
        return owner


def _uids(references: Iterable[Reference]) -> frozenset[str]:
    return frozenset(reference.uid for reference in references)
