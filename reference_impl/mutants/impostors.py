"""Mutants of how members prove who they are."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.mutants import Mutant
from reference_impl.names import CLUSTER_ID_LABEL, PUBLIC_KEY
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


def never_say(reason: str) -> Mutant:
    """Keep a reason to oneself, in status and in conditions of members."""

    def unsaid(conditions: list[Object]) -> list[Object]:
        fine = {"status": "True", "reason": "Fine", "message": ""}
        return [one | fine if one.get("reason") == reason else one for one in conditions]

    def status_of(status: Object) -> Object:
        changed = copy.deepcopy(status)
        for entry in changed.get("connections") or []:
            if reason in entry.get("statusMessage", ""):
                entry["statusMessage"] = "no answer"
        changed["conditions"] = unsaid(changed.get("conditions") or [])
        return changed

    return Mutant(status=status_of, conditions=unsaid)


def _has(condition: Object, reason: str) -> bool:
    return bool(condition.get("reason") == reason)


def _as_named(obj: Object) -> Object:
    labels = {**(obj["metadata"].get("labels") or {}), CLUSTER_ID_LABEL: obj["spec"]["cluster_id"]}
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}
