"""An implementation's agents as Kubernetes shows them, and how an operator starts them again."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import MERGE_PATCH
from l3conf.plugin.inventory import SYSTEM_NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.plugin.cluster_api import ClusterAPI, Object
    from l3conf.plugin.lab import Lab

_KINDS = {"daemonsets": "DaemonSet", "deployments": "Deployment"}
"""Of workloads, by the plurals of their paths: items of a list do not say what they are."""
_CREDENTIAL = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod that may speak to its cluster's API finds its token."""
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation of the pod template by which ``kubectl rollout restart`` asks for new pods."""

AT_ONCE = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
"""Deletes a pod without grace: its processes get SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A workload of the implementation that can speak to the API; one that cannot decides nothing."""

    path: str
    """Of the object at the API."""
    name: str
    pods: tuple[Object, ...]

    @property
    def nodes(self) -> frozenset[str]:
        """Where its pods run."""
        return frozenset(pod["spec"].get("nodeName", "") for pod in self.pods)

    @property
    def uids(self) -> frozenset[str]:
        """Of its pods."""
        return frozenset(pod["metadata"]["uid"] for pod in self.pods)


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents of one cluster of a lab."""

    lab: Lab
    cluster: str

    @property
    def of_gateways(self) -> list[Agent]:
        """Agents whose pods run on gateway nodes alone; where there are none, all that run there."""
        gateways = {node.name for node in self.lab.topology.cluster(self.cluster).gateway_nodes}
        found = find_agents(self._api)
        return [one for one in found if one.nodes <= gateways] or [one for one in found if one.nodes & gateways]

    @property
    def of_every_node(self) -> list[Agent]:
        """Agents with a pod on every node; where there are none, those that run beyond the gateways."""
        nodes = {node.name for node in self.lab.topology.cluster(self.cluster).nodes}
        gateways = {node.name for node in self.lab.topology.cluster(self.cluster).gateway_nodes}
        found = find_agents(self._api)
        return [one for one in found if one.nodes >= nodes] or [one for one in found if one.nodes - gateways]

    def rolled_out(self, agents: Iterable[Agent]) -> None:
        """Restart agents as ``kubectl rollout restart`` does; all pods are new and ready within ``T_restart``."""
        self._restart(agents, "rolled out again", self._ask_for_new_pods)

    def deleted(self, agents: Iterable[Agent]) -> None:
        """Delete all pods of agents at once, without grace; others take their place within ``T_restart``."""
        self._restart(agents, "pods deleted", self._delete_pods)

    def _restart(self, agents: Iterable[Agent], how: str, act: Callable[[Agent], None]) -> None:
        """Restart agents one after the other: each alone must not be noticed."""
        chosen = list(agents)
        if not chosen:
            pytest.skip(f"no agent of that kind runs in {self.cluster}")
        for agent in chosen:
            asked = time.monotonic()
            act(agent)
            self.lab.run.note(f"{self.cluster}: {agent.name} {how}")
            self.lab.eventually_none(
                f"{agent.name} of {self.cluster} is not all new and ready",
                lambda agent=agent: self._not_renewed(agent),  # type: ignore[misc] # bound now
                within="T_restart",
                since=asked,
            )

    def _ask_for_new_pods(self, agent: Agent) -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        patch = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: now}}}}}
        answer = self._api.request("PATCH", agent.path, body=patch, content_type=MERGE_PATCH)
        if not answer.ok:
            raise LabError(f"{agent.path} cannot be restarted: {answer.message}", where=self.cluster)

    def _delete_pods(self, agent: Agent) -> None:
        for pod in agent.pods:
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            self._api.request("DELETE", path, body=AT_ONCE)

    def _not_renewed(self, agent: Agent) -> list[str]:
        """Return the old pods that are still there, and the nodes without a ready new one."""
        workload = self._api.get(agent.path)
        pods = _pods_of(self._api, workload)
        old = [f"pod {pod['metadata']['name']}" for pod in pods if pod["metadata"]["uid"] in agent.uids]
        ready = {pod["spec"].get("nodeName", "") for pod in pods if _is_ready(pod)}
        missing = len(agent.nodes) - len(ready)
        return old + [f"{missing} of {len(agent.nodes)} nodes without a ready pod"] * (missing > 0)

    @property
    def _api(self) -> ClusterAPI:
        return self.lab.apis[self.cluster]


def find_workloads(api: ClusterAPI) -> dict[str, Object]:
    """Return all workloads of the implementation in a cluster by their paths, those that only carry packets too."""
    return {
        _path(plural, workload): {**workload, "kind": kind}
        for plural, kind in _KINDS.items()
        for workload in api.items(f"/apis/apps/v1/{plural}")
        if workload["metadata"]["namespace"] not in SYSTEM_NAMESPACES
    }


def find_agents(api: ClusterAPI) -> list[Agent]:
    """Return the agents of a cluster that have pods, by name."""
    found = [
        Agent(path=path, name=workload["metadata"]["name"], pods=tuple(_pods_of(api, workload)))
        for path, workload in find_workloads(api).items()
    ]
    return sorted((one for one in found if any(map(_can_speak, one.pods))), key=lambda one: one.name)


def _path(plural: str, workload: Object) -> str:
    metadata = workload["metadata"]
    return f"/apis/apps/v1/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


def _pods_of(api: ClusterAPI, workload: Object) -> list[Object]:
    """Return the pods that a workload selects."""
    labels = workload["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return api.items(f"/api/v1/namespaces/{workload['metadata']['namespace']}/pods", labelSelector=selector)


def _can_speak(pod: Object) -> bool:
    containers = pod["spec"]["containers"]
    return any(mount["mountPath"] == _CREDENTIAL for one in containers for mount in one.get("volumeMounts") or ())


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
