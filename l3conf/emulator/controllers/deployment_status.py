"""What a Deployment reports about itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.conditions import condition, parse_timestamp, timestamp, with_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

DEFAULT_DEADLINE = 600


def deployment_status(
    deployment: Mapping[str, Any], newest: Object | None, sets: Sequence[Object], least: int, now: datetime
) -> dict[str, Any]:
    """Return the status; ``least`` is how many pods must be available for condition Available."""
    desired = desired_replicas(deployment)
    total = sum(count(item, "replicas") for item in sets)
    available = sum(count(item, "availableReplicas") for item in sets)
    status: dict[str, Any] = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total,
        "updatedReplicas": count(newest, "replicas") if newest else 0,
        "readyReplicas": sum(count(item, "readyReplicas") for item in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, desired - available),
    }
    status["conditions"] = _conditions(deployment, status, newest, least, now)
    return status


def _conditions(
    deployment: Mapping[str, Any], status: Mapping[str, Any], newest: Object | None, least: int, now: datetime
) -> list[dict[str, Any]]:
    enough = status["availableReplicas"] >= least
    reason, message = (
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    old = (deployment.get("status") or {}).get("conditions") or []
    available = {"type": "Available", "status": str(enough), "reason": reason, "message": message}
    conditions = _with_update_time(old, available, now, moved=False)
    return _progress(deployment, status, newest, conditions, now)


def _progress(
    deployment: Mapping[str, Any],
    status: Mapping[str, Any],
    newest: Object | None,
    conditions: list[dict[str, Any]],
    now: datetime,
) -> list[dict[str, Any]]:
    name = f'ReplicaSet "{newest["metadata"]["name"]}"' if newest else "Deployment"
    before = deployment.get("status") or {}
    if newest is not None and is_complete(deployment, status):
        new = {"status": "True", "reason": "NewReplicaSetAvailable", "message": f"{name} has successfully progressed."}
        return _with_update_time(conditions, {"type": "Progressing", **new}, now, moved=False)
    counters = ("updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    moved = any(status[counter] != before.get(counter, 0) for counter in counters)
    last = condition(conditions, "Progressing")
    if not moved and last is not None and _age(last, now) > _deadline(deployment):
        message = f"{name} has timed out progressing."
        new = {"status": "False", "reason": "ProgressDeadlineExceeded", "message": message}
        return _with_update_time(conditions, {"type": "Progressing", **new}, now, moved=False)
    if not moved and last is not None and last["reason"] in {"ReplicaSetUpdated", "ProgressDeadlineExceeded"}:
        return conditions
    new = {"status": "True", "reason": "ReplicaSetUpdated", "message": f"{name} is progressing."}
    return _with_update_time(conditions, {"type": "Progressing", **new}, now, moved=moved)


def is_complete(deployment: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Say whether a roll-out is over: only new pods, all of them available."""
    desired = desired_replicas(deployment)
    return all(status[counter] == desired for counter in ("updatedReplicas", "replicas", "availableReplicas"))


def _with_update_time(
    conditions: Sequence[Mapping[str, Any]], new: Mapping[str, Any], now: datetime, *, moved: bool
) -> list[dict[str, Any]]:
    old = condition(conditions, new["type"])
    if old is not None and not moved and all(old.get(key) == value for key, value in new.items()):
        return [dict(item) for item in conditions]
    return with_condition(conditions, {**new, "lastUpdateTime": timestamp(now)}, now)


def seconds_to_deadline(deployment: Mapping[str, Any], status: Mapping[str, Any], now: datetime) -> float | None:
    """Return when to look again whether a roll-out is stuck; None if it is over or given up."""
    last = condition(status["conditions"], "Progressing")
    if last is None or last["reason"] in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"}:
        return None
    return max(1.0, _deadline(deployment) - _age(last, now) + 1)


def _deadline(deployment: Mapping[str, Any]) -> int:
    return int(deployment["spec"].get("progressDeadlineSeconds") or DEFAULT_DEADLINE)


def _age(item: Mapping[str, Any], now: datetime) -> float:
    return (now - parse_timestamp(item.get("lastUpdateTime") or item["lastTransitionTime"])).total_seconds()


def desired_replicas(deployment: Mapping[str, Any]) -> int:
    """Return ``spec.replicas``."""
    return int(deployment["spec"].get("replicas", 1))


def count(item: Mapping[str, Any], counter: str) -> int:
    """Return a counter of a ReplicaSet's status."""
    return int((item.get("status") or {}).get(counter) or 0)
