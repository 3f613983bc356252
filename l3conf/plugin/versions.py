"""Which version runs where: what components report, and whether roll-outs have ended. Pure.

A roll-out that was begun proves nothing: images that are not pulled, pods that are not replaced and components that
nobody told all read as success to a tool that asks no further (L3-L7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from l3conf.plugin.cluster_api import Object

REPORTING = ("gateways", "routeagents")
"""Kinds of ``submariner.io/v1`` that say in ``status.version`` what their component is."""


def at_other_versions(objects: Iterable[Object], version: str) -> list[str]:
    """Return the components whose objects report another version, or none."""
    said = [(obj, str((obj.get("status") or {}).get("version") or "")) for obj in objects]
    return [
        f"{obj.get('kind', 'object')} {obj['metadata']['name']} reports version {seen or 'of nothing'}, not {version}"
        for obj, seen in said
        if seen != version
    ]


def still_rolling(workloads: Iterable[Object]) -> list[str]:
    """Return the DaemonSets and Deployments that have not replaced all their pods, or whose pods are not available."""
    return [
        f"{workload['kind']} {workload['metadata']['name']}: {what}"
        for workload in workloads
        for what in _unfinished(workload)
    ]


def _unfinished(workload: Object) -> Iterator[str]:
    """Yield what ``kubectl rollout status`` waits for."""
    status = workload.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(workload["metadata"].get("generation") or 0):
        yield "its newest specification was not seen yet"
        return
    if workload["kind"] == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        updated, available = status.get("updatedNumberScheduled"), status.get("numberAvailable")
    else:
        wanted = int(workload["spec"].get("replicas", 1))
        updated, available = status.get("updatedReplicas"), status.get("availableReplicas")
    if int(updated or 0) < wanted:
        yield f"{int(updated or 0)} of {wanted} pods replaced"
    elif int(available or 0) < wanted:
        yield f"{int(available or 0)} of {wanted} pods available"
