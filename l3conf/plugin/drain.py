"""Taking a node out of service by the API, as ``kubectl drain --ignore-daemonsets --force`` does it.

First nobody new comes (``spec.unschedulable``), then everybody who is not there for the node's own sake is asked to go
by the eviction API, which heeds PodDisruptionBudgets, and then all of them have gone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import HTTP_NOT_FOUND, MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from l3conf.plugin.cluster_api import ClusterAPI

HTTP_TOO_MANY_REQUESTS = 429
PERIOD = 0.1
"""Seconds between two looks, and between two tries where a budget forbids an eviction (kubectl: 5)."""
_MIRROR = "kubernetes.io/config.mirror"
_ENDED = frozenset({"Succeeded", "Failed"})


def cordon(api: ClusterAPI, node: str, *, schedulable: bool = False) -> None:
    """Let nobody new come to a node, or undo that. ``LabError`` if the API refuses."""
    body = {"spec": {"unschedulable": None if schedulable else True}}
    answer = api.request("PATCH", f"/api/v1/nodes/{node}", body=body, content_type=MERGE_PATCH)
    if not answer.ok:
        raise LabError(f"node {node} was refused ({answer.status}): {answer.message}", where=api.name)


def drain(api: ClusterAPI, node: str, *, seconds: float, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Cordon a node and have its pods go; return who went, as ``namespace/name``.

    ``LabError`` names who is still there after ``seconds``; the node stays cordoned.
    """
    cordon(api, node)
    deadline = time.monotonic() + seconds
    gone: dict[str, None] = {}
    while left := evictable(api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")):
        for pod in left:
            gone[_name(pod)] = None
            if not pod["metadata"].get("deletionTimestamp"):
                _evict(api, pod)
        if time.monotonic() > deadline:
            names = ", ".join(map(_name, left[:5]))
            remedy = "look for a PodDisruptionBudget, a finalizer or a long grace period"
            raise LabError(f"after {seconds:g} s there still are {names}", where=f"{api.name}@{node}", remedy=remedy)
        sleep(PERIOD)
    return [*gone]


def evictable(pods: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the pods that must go for a drain: not those of DaemonSets, static or ended ones. Pure."""
    return [
        pod
        for pod in pods
        if not any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())
        and _MIRROR not in (pod["metadata"].get("annotations") or {})
        and (pod.get("status") or {}).get("phase") not in _ENDED
    ]


def _evict(api: ClusterAPI, pod: Mapping[str, Any]) -> None:
    """Ask for an eviction; one that a budget forbids now is asked for again later."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    answer = api.request("POST", path, body=eviction)
    if not answer.ok and answer.status not in {HTTP_TOO_MANY_REQUESTS, HTTP_NOT_FOUND}:
        raise LabError(f"{_name(pod)} was not evicted ({answer.status}): {answer.message}", where=api.name)


def _name(pod: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
