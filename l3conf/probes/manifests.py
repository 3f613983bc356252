"""The probe pods of a cluster as Kubernetes manifests: the same on a lab, on kind and on existing clusters. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import ClusterSpec

IMAGE = "l3conf/probe:v1"
NAMESPACE = "l3conf-probes"
APP = "l3conf-probe"
LABELS = {"app": APP}
NODE_LABEL = "l3conf.io/node"
"""Label of a probe pod with the name of its node, by which selectors can mean the pods of one node."""
SERVICE = "probe"
PLACE_VARIABLE = "L3CONF_PLACE"
SOCKET_VARIABLE = "L3CONF_PROBE_SOCKET"
DEFAULT_SOCKET = "/run/l3conf-probe.sock"
"""Where a pod's probe server takes commands (``probes.agent``)."""
_START_SECONDS = 60
"""Seconds that a server may take to listen before its container is started again."""


def probe_manifests(
    cluster: ClusterSpec, *, pods_per_node: int = 1, namespace: str = NAMESPACE
) -> list[dict[str, Any]]:
    """Return what to apply, in order: Namespace, ServiceAccount, a Pod or more per node, a Service over all of them.

    Pods are ``probe-<node>``, or ``probe-<node>-<i>`` with i from 0 where there are several on a node. They are
    bound to their nodes by name: which node a probe starts from is part of what is tested.
    """
    return [
        _namespace(namespace),
        _service_account(namespace),
        *(
            pod_manifest(cluster.name, namespace, node.name, name)
            for node in cluster.nodes
            for name in pod_names(node.name, pods_per_node)
        ),
        _service(namespace),
    ]


def pod_names(node: str, count: int) -> list[str]:
    """Return the names of the probe pods of a node."""
    return [f"probe-{node}"] if count == 1 else [f"probe-{node}-{index}" for index in range(count)]


def _namespace(name: str) -> dict[str, Any]:
    # Raw ICMP sockets need NET_RAW, which Pod Security Standards allow to "privileged" only.
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _service_account(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": APP, "namespace": namespace},
        "automountServiceAccountToken": False,
    }


def pod_manifest(
    cluster: str, namespace: str, node: str, name: str, *, labels: Mapping[str, str] = LABELS
) -> dict[str, Any]:
    """Return a probe pod that is bound to a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {**labels, NODE_LABEL: node}},
        "spec": {
            "nodeName": node,
            "serviceAccountName": APP,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            # A gateway may be a control-plane node; probes run wherever pods can.
            "tolerations": [{"operator": "Exists"}],
            "containers": [_container(f"{cluster}/{namespace}/{name}")],
            "volumes": [{"name": "run", "emptyDir": {}}],
        },
    }


def _container(place: str) -> dict[str, Any]:
    # No command: the image's own entry point serves (``probes.agent``), and a lab has it built in.
    return {
        "name": "probe",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [
            {"name": PLACE_VARIABLE, "value": place},
            {"name": SOCKET_VARIABLE, "value": DEFAULT_SOCKET},
        ],
        "ports": [
            {"name": "udp", "containerPort": PORT, "protocol": "UDP"},
            {"name": "tcp", "containerPort": PORT, "protocol": "TCP"},
        ],
        # Only until it listens: a readiness probe would go on sending packets that captures then show.
        "startupProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": _START_SECONDS},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "run", "mountPath": "/run"}],
    }


def _service(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": namespace, "labels": dict(LABELS)},
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": dict(LABELS),
            "ports": [
                {"name": "udp", "port": PORT, "targetPort": PORT, "protocol": "UDP"},
                {"name": "tcp", "port": PORT, "targetPort": PORT, "protocol": "TCP"},
            ],
        },
    }
