"""ReplicaSets: as many pods as asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.pod_template import is_active, is_ready, seconds_until_available

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

MOST_AT_ONCE = 500
"""Pods created or deleted in one go, as upstream's burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSetPlan:
    """What to do for one ReplicaSet."""

    create: int = 0
    delete: tuple[Object, ...] = ()
    status: Mapping[str, int]
    check_again_in: float | None = None
    """Seconds until a pod has been ready for ``minReadySeconds``."""


def plan_replica_set(replica_set: Mapping[str, Any], pods: Iterable[Object], now: datetime) -> ReplicaSetPlan:
    """Plan from the pods that the ReplicaSet controls. The least useful pods go first."""
    spec = replica_set["spec"]
    active = [pod for pod in pods if is_active(pod)]
    missing = int(spec.get("replicas", 1)) - len(active)
    minimum = int(spec.get("minReadySeconds") or 0)
    waits = [seconds_until_available(pod, minimum, now) for pod in active]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    fully = [pod for pod in active if labels.items() <= (pod["metadata"].get("labels") or {}).items()]
    surplus = sorted(active, key=_usefulness)[: max(0, -missing)]
    return ReplicaSetPlan(
        create=min(max(0, missing), MOST_AT_ONCE),
        delete=tuple(surplus[:MOST_AT_ONCE]),
        status={
            "replicas": len(active),
            "fullyLabeledReplicas": len(fully),
            "readyReplicas": sum(map(is_ready, active)),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "observedGeneration": int(replica_set["metadata"].get("generation", 0)),
        },
        check_again_in=min((wait for wait in waits if wait), default=None),
    )


def _usefulness(pod: Mapping[str, Any]) -> tuple[bool, bool, bool, str]:
    """Order pods by use: unassigned before assigned, pending before running, unready before ready."""
    running = pod.get("status", {}).get("phase") == "Running"
    return bool(pod["spec"].get("nodeName")), running, is_ready(pod), pod["metadata"]["name"]
