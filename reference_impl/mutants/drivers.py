"""Mutants of the choice of cable drivers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CABLE_DRIVERS

if TYPE_CHECKING:
    from reference_impl.planner.exchange import Write

Object: TypeAlias = dict[str, Any]


def offer_one(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Tell others of the most preferred driver only."""
    return tuple(_offering_one(write) for write in writes)


def _offering_one(write: Write) -> Write:
    if write.obj["kind"] != "Endpoint":
        return write
    obj = copy.deepcopy(write.obj)
    (obj["spec"].get("backend_config") or {}).pop(CABLE_DRIVERS, None)
    return replace(write, obj=obj)
