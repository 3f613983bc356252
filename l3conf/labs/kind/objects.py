"""The suite's objects in a cluster of kind: those of the emulated lab, and a pod in every node's own network. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.probes.manifests import NAMESPACE, PLACE_VARIABLE, pod_manifest, probe_manifests

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec

HOSTS_NAMESPACE = "l3conf-hosts"
"""Not the probes' own: whoever looks for a node's probe pod there is to find one."""


def workload(cluster: ClusterSpec) -> list[dict[str, Any]]:
    """Return what to apply to a cluster, in order."""
    namespace, account = probe_manifests(cluster, namespace=HOSTS_NAMESPACE)[:2]
    return [
        *(as_root(obj) for obj in probe_manifests(cluster)),
        namespace,
        account,
        *(host_pod(cluster.name, node.name) for node in cluster.nodes),
    ]


def host_pod(cluster: str, node: str) -> dict[str, Any]:
    """Return the pod that probes from a node's own network, and reads its configuration."""
    pod = as_root(pod_manifest(cluster, HOSTS_NAMESPACE, node, host_pod_name(node)))
    (container,) = pod["spec"]["containers"]
    env = [{**one, "value": f"{cluster}@{node}"} if one["name"] == PLACE_VARIABLE else one for one in container["env"]]
    return {**pod, "spec": {**pod["spec"], "hostNetwork": True, "containers": [{**container, "env": env}]}}


def host_pod_name(node: str) -> str:
    """Return the name of the pod in a node's own network."""
    return f"host-{node}"


def place_in(place: str, cluster: str) -> tuple[str, str] | None:
    """Return namespace and pod of a place in a cluster; None if it is none of a pod's or node's there."""
    if place.startswith(f"{cluster}@"):
        return HOSTS_NAMESPACE, host_pod_name(place.removeprefix(f"{cluster}@"))
    namespace, _, pod = place.removeprefix(f"{cluster}/").partition("/")
    return (namespace, pod) if place.startswith(f"{cluster}/") and pod else None


def as_root(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a pod that runs as root: capabilities that are added are nobody else's in a container."""
    if obj["kind"] != "Pod":
        return obj
    containers = [
        {**one, "securityContext": {**one["securityContext"], "runAsUser": 0, "runAsGroup": 0}}
        for one in obj["spec"]["containers"]
    ]
    return {**obj, "spec": {**obj["spec"], "containers": containers}}


OWN_NAMESPACES = (NAMESPACE, HOSTS_NAMESPACE)
"""What the suite makes in a cluster lies in these."""
