"""The Node and the Lease by which a kubelet shows that it lives. Pure."""

from __future__ import annotations

import os
import platform
import uuid
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.conditions import micro_timestamp, timestamp, with_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node_runtime import NodeGround

KUBELET_VERSION = "v1.32.0"
LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10
MOST_PODS = 1000
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def architecture() -> str:
    """Return this machine's architecture in Go's spelling."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def node_object(cluster: str, ground: NodeGround, labels: Mapping[str, str]) -> Object:
    """Return the Node as registered, without status."""
    spec: Object = {}
    if ground.pod_ranges:
        ranges = [str(item) for item in ground.pod_ranges]
        spec = {"podCIDR": ranges[0], "podCIDRs": ranges, "providerID": f"l3conf://{cluster}/{ground.name}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": ground.name, "labels": {**node_labels(ground.name), **labels}},
        "spec": spec,
    }


def node_labels(name: str) -> dict[str, str]:
    """Return the labels that every node has."""
    own = {"hostname": name, "os": "linux", "arch": architecture()}
    return {f"kubernetes.io/{key}": value for key, value in own.items()} | {
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": architecture(),
    }


def node_status(cluster: str, ground: NodeGround, conditions: Sequence[Mapping[str, Any]], now: datetime) -> Object:
    """Return the status of a node that is well."""
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": _memory(), "pods": str(MOST_PODS)}
    capacity["ephemeral-storage"] = "1Gi"
    heartbeat = {"lastHeartbeatTime": timestamp(now)}
    merged: list[Object] = [dict(item) for item in conditions]
    for kind, reason, message in _PRESSURES:
        new = {"type": kind, "status": "False", "reason": reason, "message": message, **heartbeat}
        merged = with_condition(merged, new, now)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    merged = with_condition(merged, {**ready, **heartbeat}, now)
    addresses = [{"type": "InternalIP", "address": str(address)} for address in ground.addresses]
    return {
        "capacity": capacity,
        "allocatable": dict(capacity),
        "conditions": merged,
        "addresses": [*addresses, {"type": "Hostname", "address": ground.name}],
        "nodeInfo": _node_info(cluster, ground.name),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }


def lease_object(node: Mapping[str, Any], now: datetime) -> Object:
    """Return the Lease of a registered node."""
    name = node["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": micro_timestamp(now),
        },
    }


def _node_info(cluster: str, name: str) -> Object:
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{cluster}.l3conf")
    return {
        "machineID": identity.hex,
        "systemUUID": str(identity),
        "bootID": str(identity),
        "kernelVersion": platform.release(),
        "osImage": "l3conf emulated node",
        "containerRuntimeVersion": "l3conf://0.1.0",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": KUBELET_VERSION,
        "operatingSystem": "linux",
        "architecture": architecture(),
    }


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 1024}Ki"
