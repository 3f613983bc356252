"""Owner references: who made an object, and which objects an owner may take as its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.selectors import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.cluster_api import Object


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the owner reference that has ``controller: true``, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Mapping[str, Any] = reference
            return found
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Say whether ``owner`` (by uid) controls ``obj``."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def controller_reference(owner: Mapping[str, Any], api_version: str, kind: str) -> Object:
    """Return the reference that a controller puts into what it makes for ``owner``."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def adoptable(objects: Iterable[Object], owner: Mapping[str, Any]) -> list[Object]:
    """Return the living objects that nobody controls and the owner's label selector matches."""
    if owner["metadata"].get("deletionTimestamp"):
        return []
    selector = owner["spec"]["selector"]
    return [
        obj
        for obj in objects
        if controller_of(obj) is None
        and not obj["metadata"].get("deletionTimestamp")
        and matches(selector, obj["metadata"].get("labels") or {})
    ]
