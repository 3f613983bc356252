"""Nodes that come to clusters while everything runs, and nodes that go."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE
from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.faults import NodeAdded, NodeRemoved
from l3conf.plugin import residue
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.drain import drain
from l3conf.plugin.inventory import Pods, find_nodes, find_pods, find_service
from l3conf.probes.manifests import pod_manifest, pod_names
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from l3conf.expectations import Pod
    from l3conf.model.topology import ClusterSpec, IPFamily, IPNetwork, NodeSpec
    from l3conf.plugin.lab import Lab

KINDS = ("clusters", "endpoints", "gateways", "routeagents")
"""Plurals of the kinds that say something of nodes, or might."""


class NodeChanges:
    """Nodes that come or go when that is asked for; when the context is left, all are there that were before."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._undone = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undone.close()
        self._furnish()

    def _furnish(self) -> float:
        """Have a probe pod on every node there is, and learn all places; return when the last node was Ready.

        ``time.monotonic``. ``LabError`` if a node or a pod does not get ready.
        """
        lab = self.lab
        self._forget()
        try:
            ready = [self._await_ready(cluster.name, node.name) for cluster, node in _all_nodes(lab)]
            for cluster, node in _all_nodes(lab):
                for name in pod_names(node.name, 1):
                    lab.apis[cluster.name].apply(pod_manifest(cluster.name, NAMESPACE, node.name, name))
            found = {cluster.name: self._await_pods(cluster) for cluster in lab.topology.clusters}
        except DeadlineMissedError as missed:
            raise LabError(f"a node does not get ready: {missed}", where=lab.topology.name) from None
        lab.pods = Pods(tuple(pod for pods in found.values() for pod in pods))
        lab.services = {name: find_service(lab.apis[name], name, pods) for name, pods in found.items()}
        return max(ready)

    def _forget(self) -> None:
        """Know no nodes but those that there are, nor pods on others."""
        lab = self.lab
        lab.nodes = find_nodes(lab.topology, lab.harness)
        there = {node.site for node in lab.nodes}
        lab.pods = Pods(tuple(pod for pod in lab.pods.all if pod.site in there))

    def _await_ready(self, cluster: str, node: str) -> float:
        def look() -> float | Pending:
            try:
                said = self.lab.apis[cluster].get(f"/api/v1/nodes/{node}")
            except LookupError:
                return Pending(f"{cluster} has no Node {node}")
            return time.monotonic() if _is_ready(said) else Pending(f"{cluster}@{node} is not Ready")

        return self.lab.harness.wait(f"{cluster}@{node} is Ready", look, "T_lab")

    def _await_pods(self, cluster: ClusterSpec) -> tuple[Pod, ...]:
        api, harness = self.lab.apis[cluster.name], self.lab.harness
        what = f"probe pods of {cluster.name} are ready"
        return harness.wait(what, lambda: find_pods(api, cluster, harness), "T_workload")


class Newcomers(NodeChanges):
    """One node more in each of some clusters."""

    def __init__(self, lab: Lab, clusters: Iterable[str]) -> None:
        super().__init__(lab)
        self.clusters = tuple(clusters)
        self.pods: tuple[Pod, ...] = ()
        """The probe pods on them."""
        self.ready_at = 0.0
        """``time.monotonic`` when the last of them was Ready."""

    def come(self) -> None:
        """Have them come, and a probe pod on each."""
        before = {node.site for node in self.lab.nodes}
        for cluster in self.clusters:
            self._undone.enter_context(self.lab.fault(NodeAdded(cluster=cluster)))
        self.ready_at = self._furnish()
        self.pods = tuple(pod for pod in self.lab.pods.all if pod.site not in before)
        self.lab.run.note(f"Ready, with pods: {', '.join(str(pod.site) for pod in self.pods)}")


@dataclass(frozen=True, slots=True)
class Leaver:
    """A node that goes."""

    cluster: str
    node: str
    ranges: tuple[IPNetwork, ...]
    """Its addresses, and its pods' slices."""

    def names(self, said: Mapping[str, Any]) -> list[str]:
        """Return the parts of an object, or of a node's state, that name it or anything in its ranges."""
        flat = residue.flatten(said)
        named = [f"{path} = {value}" for path, value in flat.items() if value.strip('"') == self.node]
        return [*named, *residue.naming(said, self.ranges, nobodys=self.nobodys)]

    @property
    def nobodys(self) -> frozenset[IPNetwork]:
        """Addresses in its ranges that no pod has: the whole cluster's own, which its gateways may put to use."""
        return frozenset(ip_network(one.network_address) for one in self.ranges if one.num_addresses > 1)


class Leavers(NodeChanges):
    """A node less in each of some clusters."""

    def __init__(self, lab: Lab, nodes: Iterable[tuple[str, str]]) -> None:
        """``nodes``: cluster and node of each that is to go."""
        super().__init__(lab)
        self.nodes = tuple(_leaver(lab.topology.cluster(cluster), node) for cluster, node in nodes)
        self.went_at = 0.0
        """``time.monotonic`` when the last of them was gone."""
        self.named: tuple[str, ...] = ()
        """What the implementation had about them on other nodes before they went."""

    def others(self, family: IPFamily) -> list[tuple[Pod, Pod]]:
        """Return the pairs of pods across clusters that have nothing to do with them."""
        leaving = {(one.cluster, one.node) for one in self.nodes}
        return [
            pair
            for pair in self.lab.pods.across_clusters(family)
            if not leaving & {(pod.site.cluster, pod.site.node) for pod in pair}
        ]

    def are_drained(self) -> None:
        """Have their pods go first, but for those of DaemonSets, as operators do. ``LabError`` if they do not."""
        for one in self.nodes:
            seconds = self.lab.harness.budgets.get("T_workload")
            drain(self.lab.apis[one.cluster], one.node, seconds=seconds, sleep=self.lab.harness.clock.sleep)
            self.lab.run.note(f"drained: {one.cluster}@{one.node}")

    def go(self) -> None:
        """Have them go: without power, and without a Node object."""
        self.named = tuple(self.still_named())
        for one in self.nodes:
            self._undone.enter_context(self.lab.fault(NodeRemoved(cluster=one.cluster, node=one.node)))
        self.went_at = time.monotonic()
        self._forget()

    def still_known(self) -> list[str]:
        """Return what objects of the implementation, in any cluster and at the broker, say of them."""
        return [
            f"{api.name}: {kind}/{obj['metadata']['name']}: {line}"
            for api in self.lab.every_api
            for kind in KINDS
            for obj in api.items(f"{GROUP}/{kind}")
            for one in self.nodes
            for line in one.names({key: value for key, value in obj.items() if key != "kind"})
        ]

    def still_named(self) -> list[str]:
        """Return what all other nodes have that names them, and that was not there before the implementation."""
        leaving = {f"{one.cluster}@{one.node}" for one in self.nodes}
        ranges = [prefix for one in self.nodes for prefix in one.ranges]
        nobodys = frozenset(address for one in self.nodes for address in one.nobodys)
        before = self.lab.before.nodes
        return [
            f"{place}: {line}"
            for place, state in self.lab.node_states().items()
            if place not in leaving
            for line in sorted(
                {*residue.naming(state, ranges, nobodys=nobodys)}
                - {*residue.naming(before[place], ranges, nobodys=nobodys)}
            )
        ]


def _all_nodes(lab: Lab) -> Iterator[tuple[ClusterSpec, NodeSpec]]:
    return ((cluster, node) for cluster in lab.topology.clusters for node in cluster.nodes)


def last_worker(cluster: ClusterSpec) -> str:
    """Return the last node that holds no cable; ``LabError`` if a cluster has none."""
    if not cluster.worker_nodes:
        raise LabError("this cluster has no node that could go: all are gateway nodes", where=cluster.name)
    return cluster.worker_nodes[-1].name


def _leaver(cluster: ClusterSpec, name: str) -> Leaver:
    number = cluster.number_of(name)
    own = tuple(ip_network(address) for address in node_addresses(cluster, number))
    return Leaver(cluster=cluster.name, node=name, ranges=(*own, *pod_ranges(cluster, number)))


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
