"""Nodes that come to a cluster of a set, and go, with the seconds that others need to reach and to forget them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from l3conf.bench.members import PATIENCE, PERIOD, Member
from l3conf.errors import LabError
from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.faults import NodeAdded
from l3conf.plugin import residue
from l3conf.probes.manifests import NAMESPACE, pod_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.bench.members import MemberSet
    from l3conf.model.topology import ClusterSpec


@dataclass(slots=True)
class NodeTrial:
    """Nodes of one cluster, the last of which can be taken away again."""

    members: MemberSet
    cluster: str
    _added: list[tuple[str, ExitStack]] = field(default_factory=list)

    def add(self, others: Iterable[Member]) -> tuple[float, Member]:
        """Add a node; return the seconds from Ready until packets cross between its pod and each of the others.

        The pod is asked for as soon as there is a Node: what it takes to start counts.
        """
        api, known = self.members.apis[self.cluster], {node.name for node in self._spec.nodes}
        undone = ExitStack()
        undone.enter_context(self.members.lab.fault(NodeAdded(cluster=self.cluster)))
        node = next(one.name for one in self._spec.nodes if one.name not in known)
        self._added.append((node, undone))
        name = f"probe-{node}"
        api.apply(pod_manifest(self.cluster, NAMESPACE, node, name))
        _until(lambda: _is_ready(api.get(f"/api/v1/nodes/{node}")), f"{self.cluster}@{node} is Ready")
        ready = time.monotonic()
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}"
        _until(lambda: _is_ready(api.get(path)), f"a pod runs on {self.cluster}@{node}")
        address = ip_address(api.get(path)["status"]["podIP"])
        new = Member(self.cluster, node, f"{self.cluster}/{NAMESPACE}/{name}", address)
        self.members.await_packets(pair for one in others for pair in ((one, new), (new, one)))
        return time.monotonic() - ready, new

    def remove(self) -> float:
        """Take away the node that came last; return the seconds until no other node of the cluster names it."""
        node, undone = self._added.pop()
        spec = self._spec
        number = spec.number_of(node)
        own = tuple(ip_network(address) for address in node_addresses(spec, number))
        ranges = (*own, *pod_ranges(spec, number))
        others = [one.name for one in spec.nodes if one.name != node]

        def named() -> bool:
            return any(residue.naming(self.members.lab.node_state(self.cluster, name), ranges) for name in others)

        if not named():
            raise LabError("no other node knew it before it went", where=f"{self.cluster}@{node}")
        undone.close()
        began = time.monotonic()
        looked = began
        while named():
            looked = time.monotonic()
            if looked - began > PATIENCE:
                raise LabError(f"it is named for more than {PATIENCE:g} s", where=f"{self.cluster}@{node}")
        return looked - began

    def close(self) -> None:
        """Take away all that came."""
        while self._added:
            self._added.pop()[1].close()

    @property
    def _spec(self) -> ClusterSpec:
        return self.members.lab.topology.cluster(self.cluster)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"not so within {PATIENCE:g} s: {what}")
        time.sleep(PERIOD)


def _is_ready(obj: dict[str, Any]) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
