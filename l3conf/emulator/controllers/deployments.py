"""Deployments: a ReplicaSet per revision of the template, scaled up and down within bounds. Pure.

As of the upstream controller, without proportional scaling: when a Deployment is scaled in the middle of a
roll-out, the newest ReplicaSet takes the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.deployment_status import (
    count,
    deployment_status,
    desired_replicas,
    seconds_to_deadline,
)
from l3conf.emulator.controllers.pod_template import int_or_percent, template_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DEFAULT_HISTORY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPlan:
    """What to do for one Deployment."""

    revision: int
    """Number of the newest template."""
    new_replicas: int
    """What the newest ReplicaSet is to be scaled to; it is created with this if it does not exist."""
    newest: Object | None
    """The ReplicaSet of the newest template, if there is one."""
    scale: Mapping[str, int] = field(default_factory=dict)
    """Replicas of older ReplicaSets by name, where they change."""
    delete: tuple[Object, ...] = ()
    """Old ReplicaSets beyond ``revisionHistoryLimit``."""
    status: Mapping[str, Any]
    check_again_in: float | None = None
    """Seconds until the progress deadline."""


def plan_deployment(deployment: Mapping[str, Any], owned: Iterable[Object], now: datetime) -> DeploymentPlan:
    """Plan from the ReplicaSets that the Deployment controls."""
    sets = sorted(owned, key=lambda item: (_revision(item), item["metadata"]["name"]))
    digest = template_hash(deployment["spec"]["template"])
    newest = next((item for item in sets if _labels(item).get(HASH_LABEL) == digest), None)
    old = [item for item in sets if item is not newest]
    highest_old = max((_revision(item) for item in old), default=0)
    revision = max(_revision(newest) if newest else 0, highest_old + 1)
    new_replicas, scale = _scale(deployment, newest, old)
    _, least = bounds(deployment)
    status = deployment_status(deployment, newest, sets, least, now)
    return DeploymentPlan(
        revision=revision,
        new_replicas=new_replicas,
        newest=newest,
        scale=scale,
        delete=_history(deployment, old),
        status=status,
        check_again_in=seconds_to_deadline(deployment, status, now),
    )


def new_replica_set(deployment: Mapping[str, Any], reference: Mapping[str, Any], plan: DeploymentPlan) -> Object:
    """Return the ReplicaSet for the newest template."""
    template = deployment["spec"]["template"]
    digest = template_hash(template)
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: digest}
    selector = deployment["spec"]["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {REVISION: str(plan.revision)},
            "ownerReferences": [dict(reference)],
        },
        "spec": {
            "replicas": plan.new_replicas,
            "minReadySeconds": deployment["spec"].get("minReadySeconds") or 0,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
        },
    }


def bounds(deployment: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many pods there may be at most, and how many must be available at least, during a roll-out."""
    desired = desired_replicas(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = int_or_percent(rolling.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = int_or_percent(rolling.get("maxUnavailable", "25%"), desired, round_up=False)
    if not surge and not unavailable:
        unavailable = 1
    return desired + surge, desired - min(unavailable, desired)


def _scale(deployment: Mapping[str, Any], newest: Object | None, old: Sequence[Object]) -> tuple[int, dict[str, int]]:
    desired = desired_replicas(deployment)
    current = _replicas(newest) if newest else 0
    if deployment["spec"].get("paused"):
        return (current if newest else 0), {}
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        scale = {item["metadata"]["name"]: 0 for item in old if _replicas(item)}
        gone = not any(_replicas(item) or count(item, "replicas") for item in old)
        return (desired if gone else current), scale
    most, least = bounds(deployment)
    total = current + sum(map(_replicas, old))
    return min(desired, current + max(0, most - total)), _shrink(old, newest, least)


def _shrink(old: Sequence[Object], newest: Object | None, least: int) -> dict[str, int]:
    """Shrink old ReplicaSets: first pods that serve nobody, then as many as the new ones already replace.

    The budget counts what was asked for, not what is reported: reports lag behind, and acting on them twice would
    take away too much.
    """
    new_replicas = _replicas(newest) if newest else 0
    new_available = min(new_replicas, count(newest, "availableReplicas")) if newest else 0
    budget = sum(map(_replicas, old)) + new_available - least
    scale: dict[str, int] = {}
    useless = {item["metadata"]["name"]: max(0, _replicas(item) - count(item, "availableReplicas")) for item in old}
    spare = new_available + sum(count(item, "availableReplicas") for item in old) - least
    for item in old:
        name, replicas = item["metadata"]["name"], _replicas(item)
        idle = max(0, min(useless[name], budget))
        serving = max(0, min(replicas - idle, spare, budget - idle))
        budget, spare = budget - idle - serving, spare - serving
        if idle + serving:
            scale[name] = replicas - idle - serving
    return scale


def _history(deployment: Mapping[str, Any], old: Sequence[Object]) -> tuple[Object, ...]:
    limit = deployment["spec"].get("revisionHistoryLimit", DEFAULT_HISTORY)
    idle = [item for item in old if not _replicas(item) and not count(item, "replicas")]
    return tuple(idle[: max(0, len(idle) - limit)])


def _replicas(item: Mapping[str, Any]) -> int:
    return int(item["spec"].get("replicas", 1))


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _revision(item: Mapping[str, Any]) -> int:
    return int((item["metadata"].get("annotations") or {}).get(REVISION) or 0)
