"""Node lifecycle: a node whose Lease is not renewed is Unknown and tainted; its pods are no longer Ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.conditions import condition, parse_timestamp, timestamp, with_condition
from l3conf.emulator.controllers.placement import tolerates
from l3conf.emulator.controllers.pod_template import is_ready
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def conditions_of_silent_node(node: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Return the conditions of a node that has stopped to speak."""
    conditions = list((node.get("status") or {}).get("conditions") or ())
    for kind in REPORTED:
        old = condition(conditions, kind)
        if old is not None and old["status"] != "Unknown":
            new = {
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
            }
            conditions = with_condition(conditions, {**old, **new, "lastTransitionTime": timestamp(now)}, now)
    return [dict(item) for item in conditions]


def wanted_taints(node: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Return the node's taints: those that are not ours, and ours as Ready and ``unschedulable`` ask for."""
    spec = node.get("spec") or {}
    present = spec.get("taints") or []
    others = [dict(taint) for taint in present if taint["key"] not in {NOT_READY, UNREACHABLE, UNSCHEDULABLE}]
    ready = condition((node.get("status") or {}).get("conditions"), "Ready")
    ours: list[dict[str, Any]] = []
    if spec.get("unschedulable"):
        ours.append({"key": UNSCHEDULABLE, "effect": "NoSchedule"})
    if ready is None or ready["status"] != "True":
        key = UNREACHABLE if ready is not None and ready["status"] == "Unknown" else NOT_READY
        ours += [{"key": key, "effect": "NoSchedule"}, {"key": key, "effect": "NoExecute"}]
    return others + [_since(taint, present, now) for taint in ours]


def _since(taint: dict[str, Any], present: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    for old in present:
        if (old["key"], old["effect"]) == (taint["key"], taint["effect"]):
            return dict(old)
    return {**taint, "timeAdded": timestamp(now)}


def seconds_to_eviction(pod: Mapping[str, Any], node: Mapping[str, Any], now: datetime) -> float | None:
    """Return when a pod must leave because of ``NoExecute`` taints: 0 at once, None never."""
    waits: list[float] = []
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint["effect"] != "NoExecute":
            continue
        fitting = [item for item in pod["spec"].get("tolerations") or () if tolerates(item, taint)]
        if not fitting:
            return 0.0
        allowed = [item["tolerationSeconds"] for item in fitting if item.get("tolerationSeconds") is not None]
        if allowed:
            since = parse_timestamp(taint["timeAdded"]) if taint.get("timeAdded") else now
            waits.append(max(0.0, min(allowed) - (now - since).total_seconds()))
    return min(waits, default=None)


class NodeLifecycleController:
    """Watches nodes, their Leases and their pods."""

    def __init__(self, cache: Cache, now: Callable[[], datetime], *, grace_seconds: float) -> None:
        self._cache = cache
        self._now = now
        self._grace = grace_seconds
        self._queue: WorkQueue[Key] = WorkQueue("node", self._reconcile)
        self._evictions: WorkQueue[Key] = WorkQueue("eviction", self._evict)
        self._known: set[str] = set()

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch("pods", self._on_pod)
        self._cache.watch("nodes", self._on_node)
        self._cache.watch(LEASES, self._on_lease)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()
        self._evictions.close()

    def _on_node(self, before: Object | None, after: Object | None) -> None:
        node = after or before
        if node is None:
            return
        self._queue.add(Key.of(node))
        self._known.add(node["metadata"]["name"])
        if (before or {}).get("spec", {}).get("taints") != (after or {}).get("spec", {}).get("taints") or after is None:
            for pod in self._pods_on(node["metadata"]["name"]):
                self._evictions.add(Key.of(pod))

    def _on_lease(self, _before: Object | None, after: Object | None) -> None:
        if after is not None and after["metadata"]["namespace"] == LEASE_NAMESPACE:
            self._queue.add(Key("", after["metadata"]["name"]))

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        if after is not None and _node_of(after) and (before is None or not _node_of(before)):
            self._evictions.add(Key.of(after))

    def _reconcile(self, key: Key) -> None:
        node = self._cache.get("nodes", key)
        if node is None:
            return
        left = self._seconds_left(node)
        if left > 0:
            self._queue.add_after(key, left)
        else:
            self._mark_silent(node, key)
            node = self._cache.get("nodes", key) or node
        taints = wanted_taints(node, self._now())
        if taints != (node.get("spec", {}).get("taints") or []):
            self._cache.patch("nodes", key, {"spec": {"taints": taints or None}})

    def _seconds_left(self, node: Object) -> float:
        """Return how long the node may stay silent; from its creation if it has no Lease yet."""
        lease = self._cache.get(LEASES, Key(LEASE_NAMESPACE, node["metadata"]["name"]))
        last = (lease or {}).get("spec", {}).get("renewTime") or node["metadata"]["creationTimestamp"]
        return self._grace - (self._now() - parse_timestamp(last)).total_seconds()

    def _mark_silent(self, node: Object, key: Key) -> None:
        conditions = conditions_of_silent_node(node, self._now())
        if conditions != (node.get("status") or {}).get("conditions"):
            self._cache.patch("nodes", key, {"status": {"conditions": conditions}}, subresource="status")
        for pod in self._pods_on(key.name):
            if is_ready(pod):
                self._mark_unready(pod)

    def _mark_unready(self, pod: Object) -> None:
        """So that Services stop to send to a node that nobody hears of."""
        old = condition(pod["status"]["conditions"], "Ready")
        new = {**(old or {}), "type": "Ready", "status": "False", "lastTransitionTime": timestamp(self._now())}
        conditions = with_condition(pod["status"]["conditions"], new, self._now())
        self._cache.patch("pods", Key.of(pod), {"status": {"conditions": conditions}}, subresource="status")

    def _evict(self, key: Key) -> None:
        """Delete a pod whose time on a tainted node is over, or whose node is gone; one may be to come."""
        pod = self._cache.get("pods", key)
        if pod is None:
            return
        node = self._cache.get("nodes", Key("", _node_of(pod)))
        if node is None:
            if _node_of(pod) in self._known:
                self._cache.delete("pods", pod, grace_period_seconds=0)
            return
        wait = seconds_to_eviction(pod, node, self._now())
        if wait == 0 and not pod["metadata"].get("deletionTimestamp"):
            self._cache.delete("pods", pod)
        elif wait:
            self._evictions.add_after(key, wait)

    def _pods_on(self, node: str) -> list[Object]:
        return [pod for pod in self._cache.list("pods") if _node_of(pod) == node]


def _node_of(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"].get("nodeName") or "")
