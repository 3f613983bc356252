"""A pod's status out of its containers' states. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.conditions import with_condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.container_state import ContainerState
    from l3conf.model.topology import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """Everything that a pod's status says."""

    pod: Mapping[str, Any]
    host_addresses: Sequence[IPAddress]
    addresses: Sequence[IPAddress]
    """Empty until the sandbox is there."""
    init: Sequence[ContainerState]
    containers: Sequence[ContainerState]
    start_time: str
    finished: bool
    """Whether nothing of the pod will run again."""


def pod_phase(facts: PodFacts) -> str:
    """Apply the rules of ``PodPhase``: Failed counts over Succeeded, Pending lasts until a container ran."""
    if facts.finished:
        return "Succeeded" if all(item.exit_code == 0 for item in facts.containers) else "Failed"
    has_run = any("running" in item.state or "terminated" in item.state or item.restarts for item in facts.containers)
    return "Running" if has_run else "Pending"


def pod_status(facts: PodFacts, now: datetime) -> Object:
    """Return the whole ``status``; conditions of types that are not the kubelet's stay."""
    phase = pod_phase(facts)
    status: Object = {
        "phase": phase,
        "conditions": _conditions(facts, phase, now),
        "startTime": facts.start_time,
        "hostIP": str(facts.host_addresses[0]) if facts.host_addresses else None,
        "hostIPs": [{"ip": str(address)} for address in facts.host_addresses],
        "containerStatuses": [item.to_status() for item in facts.containers],
        "qosClass": quality_of_service(facts.pod["spec"]),
    }
    if facts.addresses:
        status["podIP"] = str(facts.addresses[0])
        status["podIPs"] = [{"ip": str(address)} for address in facts.addresses]
    if facts.init:
        status["initContainerStatuses"] = [item.to_status() for item in facts.init]
    return status


def _conditions(facts: PodFacts, phase: str, now: datetime) -> list[Object]:
    conditions: list[Object] = list((facts.pod.get("status") or {}).get("conditions") or ())
    over = {"reason": "PodCompleted"} if phase == "Succeeded" else {"reason": "PodFailed"} if phase == "Failed" else {}
    waiting_init = [item.name for item in facts.init if item.exit_code != 0 and not item.ready]
    unready = [item.name for item in facts.containers if not item.ready]
    initialized = _verdict(waiting_init, "ContainersNotInitialized", "containers with incomplete status")
    containers_ready = _verdict(unready, "ContainersNotReady", "containers with unready status")
    ready = containers_ready
    if not unready and (missing := _unmet_gates(facts.pod, conditions)):
        ready = _verdict(missing, "ReadinessGatesNotReady", "readiness gates not met")
    if over:
        containers_ready = ready = {"status": "False", **over}
        initialized = {"status": "True", **over} if phase == "Succeeded" else initialized
    sandbox = {"status": "True" if facts.addresses and not facts.finished else "False"}
    for kind, verdict in (
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", containers_ready),
        ("PodScheduled", {"status": "True"}),
    ):
        conditions = with_condition(conditions, {"type": kind, "lastProbeTime": None, **verdict}, now)
    return conditions


def _verdict(missing: Sequence[str], reason: str, sentence: str) -> Object:
    if not missing:
        return {"status": "True"}
    return {"status": "False", "reason": reason, "message": f"{sentence}: [{' '.join(missing)}]"}


def _unmet_gates(pod: Mapping[str, Any], conditions: Iterable[Mapping[str, Any]]) -> list[str]:
    met = {item["type"] for item in conditions if item["status"] == "True"}
    gates = (gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ())
    return [gate for gate in gates if gate not in met]


def quality_of_service(spec: Mapping[str, Any]) -> str:
    """Return the QoS class: Guaranteed, Burstable or BestEffort."""
    resources = [item.get("resources") or {} for item in (spec.get("initContainers") or []) + spec["containers"]]
    if not any(item.get("limits") or item.get("requests") for item in resources):
        return "BestEffort"
    for item in resources:
        limits = item.get("limits") or {}
        requests = {**limits, **(item.get("requests") or {})}
        if not {"cpu", "memory"} <= limits.keys() or any(requests[name] != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"
