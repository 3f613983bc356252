"""The objects of a run in one cluster. Pure.

Everything lies in namespaces that the run makes and that bear its label, so that removing these removes all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.labs.existing.rights import OWN_NAMESPACE_ROLE
from l3conf.probes.manifests import pod_manifest, probe_manifests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import ClusterSpec

MANAGED = {"app.kubernetes.io/managed-by": "l3conf"}
RUN_LABEL = "l3conf.io/run"
LEASE = "l3conf-run"
LEASE_SECONDS = 60
"""Seconds without a renewal after which a run counts as dead."""
_USER = 65532
"""Of nobody in particular: the number that images without a root user have for theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObjects:
    """What one run makes, whatever the cluster."""

    run: str
    """8 hexadecimal digits."""
    image: str
    host_network: bool
    holder: str
    """Who runs it, for people who find its namespaces: ``user@host pid``."""

    @property
    def namespace(self) -> str:
        """Namespace of the workload and of sample objects."""
        return f"l3conf-{self.run}"

    @property
    def host_namespace(self) -> str:
        """Namespace of pods in nodes' own networks."""
        return f"l3conf-{self.run}-hosts"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All namespaces of the run."""
        return (self.namespace, self.host_namespace) if self.host_network else (self.namespace,)

    def of(self, cluster: ClusterSpec, user: Mapping[str, Any], now: dt.datetime) -> list[dict[str, Any]]:
        """Return what to apply to a cluster, in order. ``user`` is the subject that a RoleBinding names."""
        objects = [*self._claimed(self.namespace, "restricted", user, now)]
        objects += [
            _restricted(obj, self.image)
            for obj in probe_manifests(cluster, namespace=self.namespace)
            if obj["kind"] != "Namespace"
        ]
        if self.host_network:
            objects += self._claimed(self.host_namespace, "privileged", user, now)
            account = probe_manifests(cluster, namespace=self.host_namespace)[1]
            objects += [account, *(self._host_pod(cluster.name, node.name) for node in cluster.nodes)]
        return [self._labelled(obj) for obj in objects]

    def places(self, cluster: ClusterSpec) -> dict[str, tuple[str, str]]:
        """Return namespace and pod of every place in a cluster."""
        pods = {
            f"{cluster.name}/{self.namespace}/probe-{node.name}": (self.namespace, f"probe-{node.name}")
            for node in cluster.nodes
        }
        hosts = {
            f"{cluster.name}@{node.name}": (self.host_namespace, f"host-{node.name}")
            for node in (cluster.nodes if self.host_network else ())
        }
        return pods | hosts

    def _claimed(
        self, namespace: str, security: str, user: Mapping[str, Any], now: dt.datetime
    ) -> list[dict[str, Any]]:
        """Return a namespace with the run's own rights in it, and the claim that it is in use."""
        return [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": security}},
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "l3conf-run", "namespace": namespace},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": OWN_NAMESPACE_ROLE,
                },
                "subjects": [dict(user)],
            },
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": LEASE, "namespace": namespace},
                "spec": {
                    "holderIdentity": self.holder,
                    "leaseDurationSeconds": LEASE_SECONDS,
                    "renewTime": micro_time(now),
                },
            },
        ]

    def _host_pod(self, cluster: str, node: str) -> dict[str, Any]:
        pod = _restricted(pod_manifest(cluster, self.host_namespace, node, f"host-{node}"), self.image)
        del pod["spec"]["securityContext"]["sysctls"]  # they would be the node's
        (container,) = pod["spec"]["containers"]
        place = {"name": container["env"][0]["name"], "value": f"{cluster}@{node}"}
        container = {**container, "env": [place, *container["env"][1:]]}
        return {**pod, "spec": {**pod["spec"], "hostNetwork": True, "containers": [container]}}

    def _labelled(self, obj: dict[str, Any]) -> dict[str, Any]:
        labels = {**(obj["metadata"].get("labels") or {}), **MANAGED, RUN_LABEL: self.run}
        return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


def subject_of(user: str) -> dict[str, Any]:
    """Return who a user name means, as a RoleBinding names subjects."""
    if user.startswith("system:serviceaccount:"):
        namespace, name = user.split(":")[2:4]
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}


def micro_time(moment: dt.datetime) -> str:
    """Return a moment as ``metav1.MicroTime``."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _restricted(obj: dict[str, Any], image: str) -> dict[str, Any]:
    """Return an object of the workload as the Pod Security Standard "restricted" admits it.

    Without CAP_NET_RAW a pod sends echo requests by ping sockets, which the one sysctl allows its user; it is among
    those that every kubelet and that standard let through.
    """
    if obj["kind"] != "Pod":
        return obj
    (container,) = obj["spec"]["containers"]
    security = {**container["securityContext"], "capabilities": {"drop": ["ALL"]}}
    return {
        **obj,
        "spec": {
            **obj["spec"],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
                "sysctls": [{"name": "net.ipv4.ping_group_range", "value": f"{_USER} {_USER}"}],
            },
            "containers": [{**container, "image": image, "securityContext": security}],
        },
    }
