"""What is applied to a cluster so that its pods have DNS: kube-system/kube-dns and the Deployment behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.workloads.dns import IMAGE, PORT
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.cluster_api import Object
    from l3conf.model.topology import IPAddress, IPNetwork

SERVICE_OFFSET = 10
"""The tenth address of the service range, as installers have it."""
_NAMESPACE = "kube-system"
_LABELS = {"k8s-app": "kube-dns"}


def dns_service_address(service_cidr: IPNetwork) -> IPAddress:
    """Return the ClusterIP of kube-system/kube-dns."""
    return service_cidr.network_address + SERVICE_OFFSET


def dns_manifests(service_cidrs: Sequence[IPNetwork]) -> tuple[Object, ...]:
    """Return Service, of all families that the cluster's Services have, and Deployment, ready to be created."""
    return _service(service_cidrs), _deployment()


def _service(service_cidrs: Sequence[IPNetwork]) -> Object:
    addresses = [str(dns_service_address(cidr)) for cidr in service_cidrs]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": _NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": _LABELS,
            "clusterIP": addresses[0],
            "clusterIPs": addresses,
            "ipFamilies": [IPFamily.of(cidr).value for cidr in service_cidrs],
            "ipFamilyPolicy": "PreferDualStack",
            "ports": [
                {"name": "dns", "port": PORT, "protocol": "UDP", "targetPort": PORT},
                {"name": "dns-tcp", "port": PORT, "protocol": "TCP", "targetPort": PORT},
            ],
        },
    }


def _deployment() -> Object:
    container = {
        "name": "dns",
        "image": IMAGE,
        "ports": [
            {"name": "dns", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "kube-dns", "namespace": _NAMESPACE, "labels": _LABELS},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "containers": [container],
                    "dnsPolicy": "Default",
                    "automountServiceAccountToken": False,
                    "tolerations": [{"operator": "Exists"}],
                },
            },
        },
    }
