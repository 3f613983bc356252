"""Mutants of whom a member refuses, and of what it says about that."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.mutants import Mutant
from reference_impl.names import CREATED
from reference_impl.planner.exchange import Side

if TYPE_CHECKING:
    from reference_impl.planner.exchange import Write

Object: TypeAlias = dict[str, Any]
_BACKWARDS = str.maketrans("0123456789", "9876543210")


def silent_about(reason: str) -> Mutant:
    """Say "connecting" about members that are refused for a reason, and not why."""

    def conditions(listed: list[Object]) -> list[Object]:
        hidden = {"reason": "Pending", "message": ""}
        return [condition | hidden if condition.get("reason") == reason else condition for condition in listed]

    def status(said: Object) -> Object:
        changed = copy.deepcopy(said)
        for entry in changed.get("connections") or []:
            if reason in entry.get("statusMessage", ""):
                entry |= {"status": "connecting", "statusMessage": "no answer yet"}
        if changed.get("conditions"):
            changed["conditions"] = conditions(changed["conditions"])
        return changed

    return Mutant(status=status, conditions=conditions)


def date_backwards(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Take the last who came for the first."""
    return tuple(_backwards(write) if write.side is Side.MEMBER else write for write in writes)


def _backwards(write: Write) -> Write:
    annotations = (write.obj.get("metadata") or {}).get("annotations") or {}
    if CREATED not in annotations:
        return write
    changed = {**annotations, CREATED: annotations[CREATED].translate(_BACKWARDS)}
    return replace(write, obj={**write.obj, "metadata": {**write.obj["metadata"], "annotations": changed}})
