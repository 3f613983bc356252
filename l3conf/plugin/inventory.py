"""What stands in a cluster, read through its API: the suite's own places, and what an implementation adds."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE, OUTSIDER, Node, Outsider, Pod, Service
from l3conf.oracle import Site
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.expectations.harness import Harness
    from l3conf.model.topology import ClusterSpec, IPAddress, IPFamily, Topology
    from l3conf.plugin.cluster_api import ClusterAPI

SERVICE_NAME = "probe"
SYSTEM_NAMESPACES = frozenset({NAMESPACE, "kube-system"})
"""What runs there is the suite's, or the cluster's own."""
_INSTALLED = {
    "namespace": "/api/v1/namespaces",
    "customresourcedefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "clusterrole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "validatingadmissionpolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "validatingadmissionpolicybinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "clusterrolebinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
"""Cluster-wide objects that an installation adds and its removal must take away (L3-M1)."""


@dataclass(frozen=True, slots=True)
class Pods:
    """All probe pods of a cluster set, one a node."""

    all: tuple[Pod, ...]

    def across_clusters(self, family: IPFamily) -> list[tuple[Pod, Pod]]:
        """Return every ordered pair of pods of different clusters that have addresses of a family."""
        return [
            (client, server)
            for client in self.having(family)
            for server in self.having(family)
            if client.site.cluster != server.site.cluster
        ]

    def towards(self, *servers: Pod) -> list[tuple[Pod, Pod]]:
        """Return every pod of another cluster with each of these servers."""
        return [(pod, server) for server in servers for pod in self.all if pod.site.cluster != server.site.cluster]

    def namesakes(self, cluster: str, *, of: str) -> list[Pod]:
        """Return the pods of a cluster that have the address of a pod of another one; ``LabError`` if none has."""
        taken = {address for pod in self.of(of) for address in pod.addresses}
        found = [pod for pod in self.of(cluster) if taken & {*pod.addresses}]
        if not found:
            raise LabError(f"no pod of {cluster} has the address of one of {of}, so none can be mistaken for it")
        return found

    def having(self, family: IPFamily) -> list[Pod]:
        """Return the pods that have an address of a family."""
        return [pod for pod in self.all if any(address.version == int(family.value[-1]) for address in pod.addresses)]

    def of(self, cluster: str) -> tuple[Pod, ...]:
        """Return the pods of one cluster, in the order of its nodes."""
        return tuple(pod for pod in self.all if pod.site.cluster == cluster)

    def workers_across(self, family: IPFamily) -> list[tuple[Pod, Pod]]:
        """Return one ordered pair per pair of clusters, both pods on nodes that hold no cable if there are any."""
        chosen: dict[tuple[str, str], tuple[Pod, Pod]] = {}
        for client, server in self.across_clusters(family):
            key = (client.site.cluster, server.site.cluster)
            best = chosen.get(key)
            if best is None or (best[0].on_gateway, best[1].on_gateway) > (client.on_gateway, server.on_gateway):
                chosen[key] = (client, server)
        return list(chosen.values())

    def one_in_each(self, *clusters: str) -> list[Pod]:
        """Return a pod of each named cluster, off the gateway where that is possible."""
        return [min(self.of(cluster), key=lambda pod: pod.on_gateway) for cluster in clusters]


def find_pods(api: ClusterAPI, cluster: ClusterSpec, harness: Harness) -> tuple[Pod, ...] | Pending:
    """Return the probe pods of a cluster once there is a ready one on every node."""
    found = {
        obj["spec"].get("nodeName", ""): obj
        for obj in api.items(f"/api/v1/namespaces/{api.namespace}/pods")
        if _is_ready(obj)
    }
    missing = [node.name for node in cluster.nodes if node.name not in found]
    if missing:
        return Pending(f"no ready probe pod on {', '.join(missing)} of {cluster.name}")
    return tuple(
        Pod(
            site=Site(cluster.name, node.name),
            name=found[node.name]["metadata"]["name"],
            namespace=api.namespace,
            addresses=tuple(ip_address(entry["ip"]) for entry in found[node.name]["status"]["podIPs"]),
            on_gateway=node.gateway,
            harness=harness,
        )
        for node in cluster.nodes
    )


def check_ranges(cluster: ClusterSpec, pods: Iterable[Pod]) -> None:
    """Refuse a cluster whose pods have addresses outside its range: every expectation would rest on a wrong range."""
    versions = {cidr.version for cidr in cluster.pod_cidrs}
    for pod in pods:
        for address in pod.addresses:
            if address.version in versions and not any(address in cidr for cidr in cluster.pod_cidrs):
                known = ", ".join(map(str, cluster.pod_cidrs))
                raise LabError(
                    f"pod {pod} has {address}, which is not in the range of its cluster's pods, {known}",
                    where=cluster.name,
                    remedy=f"say the right one: --pod-cidrs {cluster.name}=CIDR",
                )


def find_service(api: ClusterAPI, cluster: str, pods: Iterable[Pod]) -> Service:
    """Return the Service over the probe pods of a cluster."""
    addresses = addresses_of_service(api.get(f"/api/v1/namespaces/{api.namespace}/services/{SERVICE_NAME}"))
    return Service(cluster=cluster, name=SERVICE_NAME, addresses=addresses, backends=tuple(pods))


def addresses_of_service(obj: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    """Return the ClusterIPs of a Service object."""
    spec = obj["spec"]
    return tuple(ip_address(text) for text in spec.get("clusterIPs") or [spec["clusterIP"]])


def find_nodes(topology: Topology, harness: Harness) -> tuple[Node, ...]:
    """Return all nodes of a cluster set."""
    return tuple(
        Node(
            site=Site(cluster.name, node.name),
            addresses=harness.lab.addresses(f"{cluster.name}@{node.name}"),
            is_gateway=node.gateway,
            harness=harness,
        )
        for cluster in topology.clusters
        for node in cluster.nodes
    )


def find_outsider(harness: Harness) -> Outsider:
    """Return the host on the WAN that belongs to no cluster; without an address where there is none."""
    return Outsider(addresses=harness.lab.addresses(OUTSIDER), harness=harness)


def installed_objects(api: ClusterAPI) -> frozenset[str]:
    """Return the cluster-wide objects of a cluster, as ``kind/name``."""
    return frozenset(
        f"{kind}/{obj['metadata']['name']}" for kind, path in _INSTALLED.items() for obj in api.items(path)
    )


def _is_ready(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
