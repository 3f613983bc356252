"""Which gateway node of a cluster is the active one, and what follows when it goes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations import every, tcp
from l3conf.expectations.flow import Flow
from l3conf.expectations.idle import IdleConnections
from l3conf.expectations.places import NAMESPACE
from l3conf.model.faults import AgentsCrashLooping, NodeCrash
from l3conf.observation import Protocol
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.gateways import ACTIVE, reported_at
from l3conf.plugin.inventory import Pods, find_pods, find_service
from l3conf.plugin.node_changes import Leavers
from l3conf.plugin.node_labels import GATEWAY_LABEL, label_node
from l3conf.plugin.own_services import service_over
from l3conf.plugin.places import endpoints_by_place
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from l3conf.expectations import Pod, Service
    from l3conf.model.topology import IPFamily
    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.lab import Lab

_PAIRS = 10
_SESSIONS = 3
"""With each pod: twelve connections do not by chance all go to the backends again that they had."""


@dataclass(frozen=True, slots=True)
class Succession:
    """The gateway nodes of one cluster."""

    lab: Lab
    cluster: str

    @property
    def active(self) -> str:
        """The node whose gateway reported last that it is active. ``LabError`` if none is, or it has no second."""
        if len(self.lab.topology.cluster(self.cluster).gateway_nodes) < 2:  # noqa: PLR2004 - one to follow the other
            raise LabError("this cluster has one gateway node: nobody can follow it", where=self.cluster)
        said = self.lab.apis[self.cluster].items(f"{GROUP}/gateways")
        active = [each for each in said if (each.get("status") or {}).get("haStatus") == ACTIVE]
        if not active:
            raise LabError("no gateway says that it is active", where=self.cluster)
        return str(max(active, key=reported_at)["metadata"]["name"])

    def pairs(self, family: IPFamily) -> list[tuple[Pod, Pod]]:
        """Return ten ordered pairs of pods across clusters, none of them on the active gateway node, workers first."""
        active = (self.cluster, self.active)
        found = [
            pair
            for pair in self.lab.pods.across_clusters(family)
            if active not in {(pod.site.cluster, pod.site.node) for pod in pair}
        ]
        return sorted(found, key=lambda pair: sum(pod.on_gateway for pod in pair))[:_PAIRS]

    @contextmanager
    def service(self) -> Iterator[Service]:
        """Have a Service over all pods of the cluster but that on the active gateway node while the context is open."""
        active = self.active
        pods = [pod for pod in self.lab.pods.of(self.cluster) if pod.site.node != active]
        with service_over(self.lab.apis[self.cluster], "not-on-the-gateway", pods) as service:
            callers = [pod for pod in self.lab.pods.all if pod.site.cluster != self.cluster]
            every(tcp(caller, service) for caller in callers).arrives(within="T_reconcile")
            yield service

    def sessions(self, family: IPFamily, service: Service) -> IdleConnections:
        """Return TCP connections that answer now, and will be asked again after ``W_session``.

        Between pods on workers, and from every pod of the other clusters to a Service: several a pod, so that chance
        does not lead all of them to the backends that they had.
        """
        seconds = self.lab.harness.budgets.get("W_session")
        to_service = [
            (pod, service) for pod in self.lab.pods.having(family) if pod.site.cluster != self.cluster
        ] * _SESSIONS
        pairs: list[tuple[Pod, Pod | Service]] = [*self.lab.pods.workers_across(family), *to_service]
        flows = [
            Flow(client=one, server=other, protocol=Protocol.TCP, family=family, idle=seconds) for one, other in pairs
        ]
        return IdleConnections(self.lab.harness, flows, window="W_session", within="T_failover")

    @contextmanager
    def crashed(self) -> Iterator[str]:
        """Take the power from the active gateway node while the context is open; the node is the context's value.

        After it the node has booted, and its pods run again, maybe at other addresses.
        """
        node = self.active
        before = self._started(node)
        with self.lab.fault(NodeCrash(cluster=self.cluster, node=node)):
            yield node
        self._look_again(node, before)

    def _started(self, node: str) -> frozenset[str]:
        """Return when containers of the probe pod of a node started."""
        pods = self.lab.apis[self.cluster].items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return frozenset(
            str(each["state"]["running"]["startedAt"])
            for pod in pods
            if pod["spec"].get("nodeName") == node
            for each in (pod.get("status") or {}).get("containerStatuses") or []
            if "running" in each.get("state", {})
        )

    def _look_again(self, node: str, before: frozenset[str]) -> None:
        """Wait until the probe pod of a node that booted runs as a new one, and learn the addresses of all."""
        lab, api = self.lab, self.lab.apis[self.cluster]

        def look() -> tuple[Pod, ...] | Pending:
            if not self._started(node) - before:
                return Pending(f"the probe pod of {node} has not started again")
            return find_pods(api, lab.topology.cluster(self.cluster), lab.harness)

        found = lab.harness.wait(f"pods of {self.cluster}@{node} run again", look, "T_workload")
        others = tuple(pod for pod in lab.pods.all if pod.site.cluster != self.cluster)
        lab.pods = Pods((*others, *found))
        lab.services = {**lab.services, self.cluster: find_service(api, self.cluster, found)}

    @contextmanager
    def crash_looping(self) -> Iterator[str]:
        """Have the agents on the active gateway node die whenever they start, while the context is open."""
        node = self.active
        with self.lab.fault(AgentsCrashLooping(cluster=self.cluster, node=node)):
            yield node

    @contextmanager
    def relieved(self) -> Iterator[str]:
        """Take the label of a gateway node from the active one while the context is open."""
        node, api = self.active, self.lab.apis[self.cluster]
        label_node(api, node, {GATEWAY_LABEL: None})
        self.lab.run.note(f"no gateway node any more: {self.cluster}@{node}")
        try:
            yield node
        finally:
            label_node(api, node, {GATEWAY_LABEL: "true"})

    def leaver(self) -> Leavers:
        """Return a context in which the cluster loses the node of the active gateway when asked for."""
        return Leavers(self.lab, [(self.cluster, self.active)])

    def not_followed(self, node: str) -> list[str]:
        """Return who does not hold one Endpoint of this cluster, of another node than this one."""
        return not_followed(self.cluster, node, self._endpoints())

    def not_alone(self) -> list[str]:
        """Return who holds another number of Endpoints of this cluster than one."""
        return not_followed(self.cluster, "", self._endpoints())

    def _endpoints(self) -> Mapping[str, list[Object]]:
        return endpoints_by_place(self.lab.every_api)


def not_followed(cluster: str, node: str, endpoints: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """Return a line for each place that holds no Endpoint of a cluster, more than one, or one of this node. Pure."""
    lines = []
    for place, objects in endpoints.items():
        specs = (obj.get("spec") or {} for obj in objects)
        hosts = sorted(str(spec.get("hostname")) for spec in specs if spec.get("cluster_id") == cluster)
        if len(hosts) != 1 or hosts == [node]:
            lines.append(f"{place} holds of {cluster} the Endpoints of {', '.join(hosts) or 'nobody'}")
    return lines
