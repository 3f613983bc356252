"""The columns of Pods and Nodes (``pkg/printers/internalversion``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.cells import NONE, WIDE, at, joined
from l3conf.emulator.apiserver.tables import AGE, NAME, UNKNOWN, Column, age

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.cluster_api import Object


def _pod_ready(pod: Object) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(pod['spec'].get('containers') or ())}"


def _pod_status(pod: Object) -> str:
    """Return the word in column STATUS: a waiting or terminated container's reason tells more than the phase."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        found = _container_reason(container.get("state") or {})
        if found and found != "Completed":
            return f"Init:{found}" if found != "PodInitializing" else f"Init:{index}"
    for container in reversed(status.get("containerStatuses") or ()):
        reason = _container_reason(container.get("state") or {}) or reason
    running = any(s.get("ready") and "running" in (s.get("state") or {}) for s in status.get("containerStatuses") or ())
    if reason == "Completed" and running:
        reason = "Running"
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _container_reason(state: Mapping[str, Any]) -> str:
    if reason := (state.get("waiting") or {}).get("reason"):
        return str(reason)
    ended = state.get("terminated")
    if ended is None:
        return ""
    signal = f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
    return str(ended.get("reason") or signal)


def _pod_restarts(pod: Object) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [(s.get("lastState") or {}).get("terminated", {}).get("finishedAt") for s in statuses]
    total, latest = sum(s.get("restartCount", 0) for s in statuses), max(filter(None, ends), default=None)
    return f"{total} ({age(latest)} ago)" if total and latest else str(total)


def _gates(pod: Object) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    conditions = {c["type"]: c["status"] for c in (pod.get("status") or {}).get("conditions") or ()}
    met = sum(conditions.get(gate["conditionType"]) == "True" for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


PODS = (
    NAME,
    Column("Ready", _pod_ready),
    Column("Status", _pod_status),
    Column("Restarts", _pod_restarts),
    AGE,
    Column("IP", at("status", "podIP"), priority=WIDE),
    Column("Node", at("spec", "nodeName"), priority=WIDE),
    Column("Nominated Node", at("status", "nominatedNodeName"), priority=WIDE),
    Column("Readiness Gates", _gates, priority=WIDE),
)


def _node_status(node: Object) -> str:
    conditions = {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or ()}
    word = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady"}.get(conditions.get("Ready", ""), "Unknown")
    return f"{word},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else word


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)} | {labels.get("kubernetes.io/role")}
    return joined(sorted(role for role in roles if role))


def _node_address(kind: str) -> Callable[[Object], str]:
    def show(node: Object) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((str(a["address"]) for a in addresses if a["type"] == kind), NONE)

    return show


def _node_info(name: str, field: str) -> Column:
    return Column(name, at("status", "nodeInfo", field, missing=UNKNOWN), priority=WIDE)


NODES = (
    NAME,
    Column("Status", _node_status),
    Column("Roles", _node_roles),
    AGE,
    Column("Version", at("status", "nodeInfo", "kubeletVersion", missing="")),
    Column("Internal-IP", _node_address("InternalIP"), priority=WIDE),
    Column("External-IP", _node_address("ExternalIP"), priority=WIDE),
    _node_info("OS-Image", "osImage"),
    _node_info("Kernel-Version", "kernelVersion"),
    _node_info("Container-Runtime", "containerRuntimeVersion"),
)
