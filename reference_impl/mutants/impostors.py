"""Mutants of how members prove who they are."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_ID_LABEL, PUBLIC_KEY
from reference_impl.planner.conditions import AUTHENTICATION_FAILED
from reference_impl.planner.exchange import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.planner.exchange import Write

Object: TypeAlias = dict[str, Any]


def believe_names(objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Take what stands at the broker for the word of whom it names, whoever wrote it."""
    return tuple(_as_named(obj) for obj in objects)


def keep_first_keys() -> Callable[[tuple[Write, ...]], tuple[Write, ...]]:
    """Believe the first key that a gateway published, and none after that."""
    first: dict[str, str] = {}

    def with_first_key(write: Write) -> Write:
        config = write.obj.get("spec", {}).get("backend_config") or {}
        if write.side is not Side.MEMBER or PUBLIC_KEY not in config:
            return write
        key = first.setdefault(write.obj["metadata"]["name"], config[PUBLIC_KEY])
        spec = {**write.obj["spec"], "backend_config": {**config, PUBLIC_KEY: key}}
        return replace(write, obj={**write.obj, "spec": spec})

    return lambda writes: tuple(map(with_first_key, writes))


def say_lost(status: Object) -> Object:
    """Say of whoever cannot prove who it is that it does not answer, and no more."""
    changed = copy.deepcopy(status)
    for entry in changed.get("connections") or []:
        if AUTHENTICATION_FAILED in entry.get("statusMessage", ""):
            entry["statusMessage"] = "no answer"
    changed["conditions"] = [_without_reason(one) for one in changed.get("conditions") or []]
    return changed


def call_it_lost(conditions: list[Object]) -> list[Object]:
    """Say the same in conditions of members."""
    return [_without_reason(one) for one in conditions]


def _without_reason(condition: Object) -> Object:
    return condition | {"reason": "Lost"} if condition.get("reason") == AUTHENTICATION_FAILED else condition


def _as_named(obj: Object) -> Object:
    labels = {**(obj["metadata"].get("labels") or {}), CLUSTER_ID_LABEL: obj["spec"]["cluster_id"]}
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}
