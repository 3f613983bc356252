"""Waits for probe pods: image pulls and admission take their time on other people's clusters, and may fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.plugin.cluster_api import ClusterAPI

_LOOK = 0.2


def await_ready(api: ClusterAPI, namespace: str, name: str, *, seconds: float) -> None:
    """Wait until a pod is Ready. ``LabError`` says what it waits for after ``seconds``, or that it is not there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            pod = api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        except LookupError as error:
            raise LabError(str(error)) from None
        if is_ready(pod):
            return
        if time.monotonic() > deadline:
            raise LabError(
                f"probe pod {namespace}/{name} is not ready after {seconds:g} s: {why_not(pod)}", where=api.name
            )
        time.sleep(_LOOK)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod's condition Ready is true. Pure."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def why_not(pod: Mapping[str, Any]) -> str:
    """Return what kubelet or scheduler say of a pod that is not ready. Pure."""
    status = pod.get("status") or {}
    states = [one.get("state") or {} for one in status.get("containerStatuses") or []]
    waiting = [state[kind] for state in states for kind in ("waiting", "terminated") if kind in state]
    conditions = [one for one in status.get("conditions") or [] if one.get("status") != "True"]
    for one in (*waiting, *conditions, status):
        if one.get("reason") or one.get("message"):
            return ": ".join(str(one[key]) for key in ("reason", "message") if one.get(key))
    return f"phase {status.get('phase', 'unknown')}"
