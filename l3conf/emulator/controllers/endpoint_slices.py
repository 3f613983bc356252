"""EndpointSlices of Services with a selector: who serves, how ready they are, on which node. Pure.

As of ``discovery.k8s.io/v1``: ``serving`` is the pod's readiness, ``terminating`` its deletion, and ``ready``
both together, or always true where the Service publishes addresses that are not ready.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from l3conf.emulator.controllers.ownership import controller_reference
from l3conf.emulator.controllers.pod_template import is_ready
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object

MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SERVICE_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
MOST_ENDPOINTS = 100
"""Endpoints in a slice, as kube-controller-manager has it by default."""

Port: TypeAlias = tuple[str, int, str, str]
"""Name, number, protocol, application protocol."""
Group: TypeAlias = tuple[str, tuple[Port, ...]]
"""Address type and ports: what all endpoints of a slice have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlan:
    """What to write for one Service."""

    create: tuple[Object, ...] = ()
    update: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()


def plan_slices(service: Mapping[str, Any], pods: Iterable[Object], slices: Iterable[Object]) -> SlicePlan:
    """Plan the slices of a Service from the pods that it selects and the slices it has now.

    An endpoint stays in the slice it is in, so that one pod's change touches one slice.
    """
    wanted = wanted_endpoints(service, pods)
    present: dict[Group, list[Object]] = defaultdict(list)
    for piece in sorted(slices, key=lambda item: str(item["metadata"]["name"])):
        present[piece["addressType"], _ports_key(piece.get("ports") or ())].append(piece)
    parts = [_plan_group(service, group, wanted[group], present.pop(group, [])) for group in sorted(wanted, key=str)]
    superfluous = [piece for pieces in present.values() for piece in pieces]
    return SlicePlan(
        create=tuple(item for part in parts for item in part.create),
        update=tuple(item for part in parts for item in part.update),
        delete=tuple([item for part in parts for item in part.delete] + superfluous),
    )


def _plan_group(
    service: Mapping[str, Any], group: Group, endpoints: Mapping[str, Object], pieces: Sequence[Object]
) -> SlicePlan:
    """Fill the slices of one family and set of ports; a Service without endpoints keeps one empty slice."""
    waiting = dict(endpoints)
    filled = []
    for piece in pieces:
        known = [(item.get("targetRef") or {}).get("uid") for item in piece.get("endpoints") or ()]
        filled.append({uid: waiting.pop(uid) for uid in known if uid in waiting})
    for content in filled:
        for uid in list(waiting)[: MOST_ENDPOINTS - len(content)]:
            content[uid] = waiting.pop(uid)
    update: list[Object] = []
    delete: list[Object] = []
    for index, (piece, content) in enumerate(zip(pieces, filled, strict=True)):
        if not content and (endpoints or index):
            delete.append(piece)
        elif (changed := _changed(service, group, piece, list(content.values()))) is not None:
            update.append(changed)
    rest = list(waiting.values())
    starts = range(0, max(len(rest), 0 if pieces else 1), MOST_ENDPOINTS)
    create = [_new_slice(service, group, rest[start : start + MOST_ENDPOINTS]) for start in starts]
    return SlicePlan(create=tuple(create), update=tuple(update), delete=tuple(delete))


def _changed(service: Mapping[str, Any], group: Group, piece: Object, endpoints: list[Object]) -> Object | None:
    """Return the slice as it should be, or None if it is so already."""
    labels = _labels(service)
    ports = _ports(group[1])
    same = piece.get("endpoints", []) == endpoints and piece["metadata"].get("labels") == labels
    if same and _ports_key(piece.get("ports") or ()) == group[1]:
        return None
    return {**piece, "metadata": {**piece["metadata"], "labels": labels}, "endpoints": endpoints, "ports": ports}


def _new_slice(service: Mapping[str, Any], group: Group, endpoints: list[Object]) -> Object:
    name = service["metadata"]["name"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": service["metadata"]["namespace"],
            "labels": _labels(service),
            "ownerReferences": [controller_reference(service, "v1", "Service")],
        },
        "addressType": group[0],
        "endpoints": endpoints,
        "ports": _ports(group[1]),
    }


def _labels(service: Mapping[str, Any]) -> dict[str, str]:
    """Labels of the Service, so that selectors on it find its slices, and our own."""
    own = {SERVICE_LABEL: service["metadata"]["name"], MANAGED_BY_LABEL: MANAGER}
    headless = {HEADLESS_LABEL: ""} if service["spec"].get("clusterIP") == "None" else {}
    return {**(service["metadata"].get("labels") or {}), **own, **headless}


def wanted_endpoints(service: Mapping[str, Any], pods: Iterable[Object]) -> dict[Group, dict[str, Object]]:
    """Return endpoints by pod uid for every family and set of resolved ports.

    Pods whose named ports differ resolve to different sets and therefore different slices.
    """
    families = service["spec"].get("ipFamilies") or [IPFamily.IPV4.value]
    wanted: dict[Group, dict[str, Object]] = {}
    for pod in sorted(pods, key=lambda item: str(item["metadata"]["name"])):
        ports = resolved_ports(service, pod)
        for family, address in _addresses(pod).items():
            if family in families:
                group = wanted.setdefault((family, ports), {})
                group[pod["metadata"]["uid"]] = _endpoint(service, pod, address)
    for family in set(families) - {family for family, _ in wanted}:
        wanted[family, ()] = {}
    return wanted


def _addresses(pod: Mapping[str, Any]) -> dict[str, str]:
    """Return the addresses of a pod that can still serve, by family."""
    status = pod.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed"}:
        return {}
    texts = [item["ip"] for item in status.get("podIPs") or ()] or list(filter(None, [status.get("podIP")]))
    return {IPFamily.of(ip_address(text)).value: text for text in texts}


def _endpoint(service: Mapping[str, Any], pod: Mapping[str, Any], address: str) -> Object:
    metadata, spec = pod["metadata"], pod["spec"]
    serving, terminating = is_ready(pod), bool(metadata.get("deletionTimestamp"))
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Object = {
        "addresses": [address],
        "conditions": {
            "ready": always or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def resolved_ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> tuple[Port, ...]:
    """Return the Service's ports with the numbers they have in this pod; unknown named ports are left out."""
    resolved: list[Port] = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = _target(port.get("targetPort") or port["port"], protocol, pod)
        if number is not None:
            resolved.append((port.get("name") or "", number, protocol, port.get("appProtocol") or ""))
    return tuple(sorted(resolved))


def _target(target: int | str, protocol: str, pod: Mapping[str, Any]) -> int | None:
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _ports(key: Iterable[Port]) -> list[Object]:
    """Spell ports as the API does."""
    return [
        {"name": name, "port": number, "protocol": protocol} | ({"appProtocol": app} if app else {})
        for name, number, protocol, app in key
    ]


def _ports_key(ports: Iterable[Mapping[str, Any]]) -> tuple[Port, ...]:
    """Read ports of a slice back."""
    return tuple(
        sorted(
            (port.get("name") or "", int(port["port"]), port.get("protocol", "TCP"), port.get("appProtocol") or "")
            for port in ports
            if port.get("port") is not None
        )
    )
