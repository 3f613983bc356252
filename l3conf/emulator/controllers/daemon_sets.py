"""DaemonSets: one pod on every node that qualifies, rolled over a bounded number of nodes at a time.

Behaviour as of the upstream controller: pods are pinned by a node affinity on ``metadata.name`` and bound by
the scheduler; failed pods are replaced; ``RollingUpdate`` honours ``maxUnavailable`` and ``maxSurge``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.placement import pinned_node, untolerated_taint, wants_node
from l3conf.emulator.controllers.pod_template import int_or_percent, is_ready, seconds_until_available, template_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

HASH_LABEL = "controller-revision-hash"
GENERATION_LABEL = "pod-template-generation"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"

DAEMON_TOLERATIONS: tuple[Mapping[str, str], ...] = tuple(
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
)
"""What every daemon pod tolerates, because daemons must run on nodes in trouble."""
HOST_NETWORK_TOLERATION: Mapping[str, str] = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSetPlan:
    """What to do for one DaemonSet."""

    create_on: tuple[str, ...] = ()
    """Names of nodes that need a pod of the newest revision."""
    delete: tuple[Object, ...] = ()
    status: Mapping[str, int]
    """The counters of ``status``."""
    check_again_in: float | None = None
    """Seconds until a pod has been ready for ``minReadySeconds``."""


def plan_daemon_set(
    daemon_set: Mapping[str, Any], nodes: Iterable[Object], pods: Iterable[Object], now: datetime
) -> DaemonSetPlan:
    """Plan one DaemonSet from all nodes and the pods that it controls. Order of either does not matter."""
    view = _View(daemon_set, sorted(nodes, key=lambda node: node["metadata"]["name"]), pods, now)
    create, delete = view.missing_and_surplus()
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        more_create, more_delete = view.rolling_update(strategy.get("rollingUpdate") or {})
        create, delete = create + more_create, delete + more_delete
    return DaemonSetPlan(
        create_on=tuple(create),
        delete=tuple(delete),
        status=view.status(),
        check_again_in=view.next_availability(),
    )


def daemon_pod_spec(spec: Mapping[str, Any], node: str) -> Object:
    """Return the template's pod spec, pinned to a node and tolerant of nodes in trouble."""
    tolerations = [*(spec.get("tolerations") or ()), *DAEMON_TOLERATIONS]
    if spec.get("hostNetwork"):
        tolerations.append(HOST_NETWORK_TOLERATION)
    affinity = dict(spec.get("affinity") or {})
    pinned = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity["nodeAffinity"] = dict(affinity.get("nodeAffinity") or {}) | {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [pinned]}
    }
    return dict(spec) | {"tolerations": [dict(item) for item in tolerations], "affinity": affinity}


def newest_hash(daemon_set: Mapping[str, Any]) -> str:
    """Return the revision hash of the current template."""
    return template_hash(daemon_set["spec"]["template"])


class _View:
    """One DaemonSet with its pods sorted by node."""

    def __init__(
        self, daemon_set: Mapping[str, Any], nodes: Sequence[Object], pods: Iterable[Object], now: datetime
    ) -> None:
        self.spec = daemon_set["spec"]
        self.hash = newest_hash(daemon_set)
        self.generation = daemon_set["metadata"].get("generation", 0)
        self.now = now
        self.pods: dict[str, list[Object]] = defaultdict(list)
        for pod in pods:
            if name := pod["spec"].get("nodeName") or pinned_node(pod["spec"]):
                self.pods[name].append(pod)
        template = self.spec["template"]["spec"]
        tolerant = daemon_pod_spec(template, "")["tolerations"]
        self.known = {node["metadata"]["name"] for node in nodes}
        suited = [node for node in nodes if wants_node(template, node)]
        self.wanted = [node["metadata"]["name"] for node in suited if untolerated_taint(node, tolerant) is None]
        stays = frozenset({"NoExecute"})
        self.tolerated = {
            node["metadata"]["name"] for node in suited if untolerated_taint(node, tolerant, stays) is None
        }

    def living(self, node: str) -> list[Object]:
        """Pods of a node that are not being deleted."""
        return [pod for pod in self.pods.get(node, ()) if not pod["metadata"].get("deletionTimestamp")]

    def is_new(self, pod: Mapping[str, Any]) -> bool:
        return bool((pod["metadata"].get("labels") or {}).get(HASH_LABEL) == self.hash)

    def is_available(self, pod: Mapping[str, Any]) -> bool:
        return seconds_until_available(pod, self.spec.get("minReadySeconds") or 0, self.now) == 0

    def missing_and_surplus(self) -> tuple[list[str], list[Object]]:
        """Nodes without any pod, and pods that failed, are doubled, or stand on a node that no longer qualifies."""
        create: list[str] = []
        delete: list[Object] = []
        for node in self.wanted:
            if not self.pods.get(node):
                create.append(node)
            delete += self._surplus(self.living(node))
        for node in self.pods.keys() - set(self.wanted):
            if node not in self.tolerated:
                delete += self.living(node)
        return create, delete

    def _surplus(self, living: Sequence[Object]) -> list[Object]:
        finished = [pod for pod in living if pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}]
        running = [pod for pod in living if pod not in finished]
        surplus = finished
        for generation in (True, False):
            same = [pod for pod in running if self.is_new(pod) is generation]
            # The one that stays is one that serves: the roll-out counts on it, and takes others at the same moment.
            surplus += sorted(same, key=lambda pod: (not self.is_available(pod), _age_key(pod)))[1:]
        return surplus

    def rolling_update(self, settings: Mapping[str, Any]) -> tuple[list[str], list[Object]]:
        """Replace old pods within the budget: delete first, or create first where ``maxSurge`` is set."""
        total = len(self.wanted)
        surge = int_or_percent(settings.get("maxSurge") or 0, total, round_up=True)
        budget = int_or_percent(settings.get("maxUnavailable", 0 if surge else 1), total, round_up=True)
        if surge:
            return self._surge(surge)
        return [], self._replace(max(budget, 1))

    def _replace(self, budget: int) -> list[Object]:
        """Old pods that serve nobody go at once; of those available, as many as the budget has left."""
        useless: list[Object] = []
        serving: list[Object] = []
        unavailable = 0
        for node in self.wanted:
            living = [pod for pod in self.living(node) if pod.get("status", {}).get("phase") != "Failed"]
            if not any(self.is_available(pod) for pod in living):
                unavailable += 1
            if any(self.is_new(pod) for pod in living):
                continue
            for pod in living:
                (serving if self.is_available(pod) else useless).append(pod)
        return useless + serving[: max(0, budget - unavailable)]

    def _surge(self, surge: int) -> tuple[list[str], list[Object]]:
        """Give a node its new pod beside the old one, which goes once the new one is available."""
        create: list[str] = []
        delete: list[Object] = []
        for node in self.wanted:
            living = self.living(node)
            old = [pod for pod in living if not self.is_new(pod)]
            new = [pod for pod in living if self.is_new(pod)]
            if not old:
                continue
            if any(self.is_available(pod) for pod in new):
                delete += old
            elif new:
                surge -= 1
            elif any(self.is_available(pod) for pod in old):
                create.append(node)
            else:
                delete += old
        return create[: max(0, surge)], delete

    def status(self) -> dict[str, int]:
        """Count as ``kubectl rollout status`` reads it."""
        oldest = {node: min(pods, key=_age_key) for node in self.wanted if (pods := self.living(node))}
        chosen = {node: self._telling(node, pod) for node, pod in oldest.items()}
        available = sum(self.is_available(pod) for pod in chosen.values())
        elsewhere = [node for node in self.pods.keys() & self.known if node not in self.wanted and self.living(node)]
        return {
            "currentNumberScheduled": len(chosen),
            "numberMisscheduled": len(elsewhere),
            "desiredNumberScheduled": len(self.wanted),
            "numberReady": sum(is_ready(pod) for pod in chosen.values()),
            "updatedNumberScheduled": sum(self.is_new(pod) for pod in chosen.values()),
            "numberAvailable": available,
            "numberUnavailable": len(self.wanted) - available,
            "observedGeneration": self.generation,
        }

    def _telling(self, node: str, oldest: Object) -> Object:
        """Return the pod that counts for a node: its newest revision, if that one is ready."""
        return next((pod for pod in self.living(node) if self.is_new(pod) and is_ready(pod)), oldest)

    def next_availability(self) -> float | None:
        """Seconds until the next ready pod becomes available."""
        minimum = self.spec.get("minReadySeconds") or 0
        waits = (seconds_until_available(pod, minimum, self.now) for pods in self.pods.values() for pod in pods)
        return min((wait for wait in waits if wait), default=None)


def _age_key(pod: Mapping[str, Any]) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]
