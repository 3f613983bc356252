"""The scheduler: binds pods without a node to the least used node that suits them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.conditions import condition, with_condition
from l3conf.emulator.controllers.event_recorder import EventRecorder
from l3conf.emulator.controllers.ownership import controller_of
from l3conf.emulator.controllers.placement import pinned_node, untolerated_taint, wants_node
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

NAME = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Binding:
    """A node for a pod, or the reason why there is none."""

    node: str = ""
    refusal: str = ""


def choose_node(pod: Mapping[str, Any], nodes: Iterable[Object], pods: Iterable[Object]) -> Binding:
    """Choose among the nodes that suit the pod: fewest pods of the same controller, fewest pods, name."""
    refusals: Counter[str] = Counter()
    suited: list[str] = []
    for node in nodes:
        if refusal := _refusal(pod, node):
            refusals[refusal] += 1
        else:
            suited.append(node["metadata"]["name"])
    if not suited:
        return Binding(refusal=_sentence(refusals))
    if len(suited) == 1:
        return Binding(suited[0])
    owner = (controller_of(pod) or {}).get("uid")
    load: Counter[str] = Counter()
    siblings: Counter[str] = Counter()
    for other in pods:
        name = other["spec"].get("nodeName", "")
        load[name] += 1
        if owner and (controller_of(other) or {}).get("uid") == owner:
            siblings[name] += 1
    return Binding(min(suited, key=lambda name: (siblings[name], load[name], name)))


def _refusal(pod: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Say in the words of the upstream scheduler why a node does not do, or nothing."""
    spec = pod["spec"]
    if not wants_node(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    taint = untolerated_taint(node, spec.get("tolerations") or ())
    if taint is not None:
        return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    unschedulable = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    pretended = {"spec": {"taints": [unschedulable]}}
    if node.get("spec", {}).get("unschedulable") and untolerated_taint(pretended, spec.get("tolerations") or ()):
        return "node(s) were unschedulable"
    return ""


def _sentence(refusals: Counter[str]) -> str:
    total = sum(refusals.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.items()))
    return f"0/{total} nodes are available: {reasons}." if total else "no nodes available to schedule pods"


class Scheduler:
    """Watches pods and nodes; retries what did not fit when a node changes."""

    def __init__(self, cache: Cache, now: Callable[[], datetime]) -> None:
        self._cache = cache
        self._now = now
        self._events = EventRecorder(cache.api, NAME, now=now)
        self._queue: WorkQueue[Key] = WorkQueue("scheduler", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch("nodes", self._on_node)
        self._cache.watch("pods", self._on_pod)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        if after is not None and before is None and _is_ours(after):
            self._queue.add(Key.of(after))

    def _on_node(self, before: Object | None, after: Object | None) -> None:
        changed = before is None or after is None or _where(before) != _where(after)
        if changed and after is not None:
            for pod in self._cache.list("pods"):
                if _is_ours(pod):
                    self._queue.add(Key.of(pod))

    def _reconcile(self, key: Key) -> None:
        pod = self._cache.get("pods", key)
        if pod is None or not _is_ours(pod):
            return
        binding = self._bind(pod)
        if binding.node:
            self._cache.patch("pods", key, {"spec": {"nodeName": binding.node}}, subresource="binding")
            self._events.record(pod, "Scheduled", f"Successfully assigned {key} to {binding.node}")
        else:
            self._report(pod, key, binding.refusal)

    def _bind(self, pod: Object) -> Binding:
        """Spare daemon pods, which name their node, the walk over all pods."""
        if (name := pinned_node(pod["spec"])) and (node := self._cache.get("nodes", Key("", name))):
            return choose_node(pod, [node], ())
        return choose_node(pod, self._cache.list("nodes"), self._cache.list("pods"))

    def _report(self, pod: Object, key: Key, refusal: str) -> None:
        conditions = (pod.get("status") or {}).get("conditions")
        old = condition(conditions, "PodScheduled")
        if old is not None and old.get("message") == refusal:
            return
        now = self._now()
        new = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": refusal}
        status = {"phase": "Pending", "conditions": with_condition(conditions, new, now)}
        self._cache.patch("pods", key, {"status": status}, subresource="status")
        self._events.record(pod, "FailedScheduling", refusal, warning=True)


def _is_ours(pod: Mapping[str, Any]) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not pod["metadata"].get("deletionTimestamp")
        and spec.get("schedulerName", NAME) == NAME
        and not spec.get("schedulingGates")
    )


def _where(node: Mapping[str, Any]) -> tuple[object, object, object]:
    spec = node.get("spec") or {}
    return node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable")
