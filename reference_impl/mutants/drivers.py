"""Mutants of the choice of cable drivers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CABLE_DRIVERS

if TYPE_CHECKING:
    from reference_impl.planner.exchange import Write

Object: TypeAlias = dict[str, Any]
_REASON = "DriverMismatch"


def offer_one(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Tell others of the most preferred driver only."""
    return tuple(_offering_one(write) for write in writes)


def keep_silent_about_mismatches(status: Object) -> Object:
    """Say "connecting" about members without a common driver, and not why."""
    changed = copy.deepcopy(status)
    for entry in changed.get("connections") or []:
        if _REASON in entry.get("statusMessage", ""):
            entry |= {"status": "connecting", "statusMessage": "no answer yet"}
    if changed.get("conditions"):
        changed["conditions"] = without_the_reason(changed["conditions"])
    return changed


def without_the_reason(conditions: list[Object]) -> list[Object]:
    """Call a mismatch pending."""
    hidden = {"reason": "Pending", "message": ""}
    return [condition | hidden if condition.get("reason") == _REASON else condition for condition in conditions]


def _offering_one(write: Write) -> Write:
    if write.obj["kind"] != "Endpoint":
        return write
    obj = copy.deepcopy(write.obj)
    (obj["spec"].get("backend_config") or {}).pop(CABLE_DRIVERS, None)
    return replace(write, obj=obj)
