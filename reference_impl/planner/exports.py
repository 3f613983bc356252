"""Which Services of a cluster are exported, and which GlobalIngressIPs follow (KEP-1645). Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import API_GROUP, API_VERSION, ENDPOINT_ADDRESS, MANAGED_BY
from reference_impl.planner.conditions import FALSE, TRUE, Condition
from reference_impl.planner.endpoints import by_service, cluster_ips, hosts_behind, pod_of, ready_endpoints
from reference_impl.planner.global_objects import INGRESS_KIND, Name, Target, name_of, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
VALID, READY = "Valid", "Ready"
"""Types of a ServiceExport's conditions."""
MANAGED = "app.kubernetes.io/managed-by"
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What follows from all ServiceExports."""

    create: tuple[Object, ...]
    """GlobalIngressIPs."""
    delete: tuple[Object, ...]
    """GlobalIngressIPs of ours that nothing asks for any more."""
    said: Mapping[str, tuple[Condition, ...]]
    """Conditions of each ServiceExport, by UID."""


def plan_exports(
    exports: Iterable[Object],
    services: Iterable[Object],
    slices: Iterable[Object],
    existing: Iterable[Object],
    *,
    version: int = 4,
    reserved: Sequence[IPNetwork] = (),
) -> Exports:
    """Plan one GlobalIngressIP for a Service, one for every ready endpoint of a headless one.

    ``version``: of the addresses that they get. ``reserved``: as ``hosts_behind`` has it.

    They are named after what they are for, and go with their ServiceExport. One of the same name that somebody else
    made stays, and serves if it says the same.
    """
    by_name = {name_of(each): each for each in services}
    behind = by_service(slices)
    wanted: dict[Name, Object] = {}
    said: dict[str, tuple[Condition, ...]] = {}
    for export in sorted(exports, key=name_of):
        service = by_name.get(name_of(export))
        refusal = refusal_of(service)
        if refusal is not None or service is None:
            said[uid_of(export)] = (refusal or valid(), _ready(0, "nothing is exported"))
            continue
        pieces = behind.get(name_of(service), ())
        found = tuple(_ingresses(export, service, pieces, hosts_behind(pieces, version, reserved)))
        wanted |= {name_of(each): each for each in found}
        said[uid_of(export)] = (valid(), _ready(len(found), "no endpoint is ready"))
    there = {name_of(each): each for each in existing}
    ours = {
        name: each for name, each in there.items() if (each["metadata"].get("labels") or {}).get(MANAGED) == MANAGED_BY
    }
    stale = {name for name, each in ours.items() if name not in wanted or _asked(each) != _asked(wanted[name])}
    return Exports(
        # One that must become another one is deleted first; the look after that finds it missing.
        create=tuple(each for name, each in wanted.items() if name not in there),
        delete=tuple(ours[name] for name in sorted(stale)),
        said=said,
    )


def refusal_of(service: Object | None) -> Condition | None:
    """Return why the Service of an export cannot be exported; None if it can."""
    if service is None:
        return Condition(type=VALID, status=FALSE, reason="NoService", message="there is no Service of this name")
    if (service.get("spec") or {}).get("type") == "ExternalName":
        text = "an ExternalName Service has no endpoints to export"
        return Condition(type=VALID, status=FALSE, reason="InvalidServiceType", message=text)
    return None


def valid() -> Condition:
    """Return what an export of a Service that can be exported says."""
    return Condition(type=VALID, status=TRUE, reason="Valid", message="the Service can be exported")


def _ready(count: int, otherwise: str) -> Condition:
    if count:
        return Condition(type=READY, status=TRUE, reason="Exported", message="GlobalIngressIPs are made for it")
    return Condition(type=READY, status=FALSE, reason="NotExported", message=otherwise)


def _asked(ingress: Object) -> object:
    return ingress.get("spec"), (ingress["metadata"].get("annotations") or {}).get(ENDPOINT_ADDRESS)


def _ingresses(
    export: Object, service: Object, slices: Iterable[Object], hosts: Iterable[IPAddress]
) -> Iterable[Object]:
    name = name_of(service)[1]
    reference = {"serviceRef": {"name": name}}
    if cluster_ips(service):
        yield _ingress(export, name, {"target": Target.SERVICE.value, **reference})
        return
    pods = {pod for each in slices for endpoint in ready_endpoints(each) if (pod := pod_of(endpoint))}
    for pod in sorted(pods):
        spec = {"target": Target.POD.value, **reference, "podRef": {"name": pod}}
        # No Service has a dot in its name, so that no two of these are one.
        yield _ingress(export, f"{name}.{pod}", spec)
    for address in hosts:
        made = _ingress(export, _host_name(name, address), {"target": Target.ENDPOINTS.value, **reference})
        yield {**made, "metadata": {**made["metadata"], "annotations": {ENDPOINT_ADDRESS: str(address)}}}


def _host_name(service: str, address: IPAddress) -> str:
    """Return what the object of an endpoint is called: it begins with a digit, as no Service does (RFC 1035)."""
    return f"{address.version}-{address.exploded.replace('.', '-').replace(':', '-')}.{service}"


def _ingress(export: Object, name: str, spec: Object) -> Object:
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 13]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    owner = {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceExport",
        "name": export["metadata"]["name"],
        "uid": uid_of(export),
    }
    return {
        "apiVersion": f"{API_GROUP}/{API_VERSION}",
        "kind": INGRESS_KIND,
        "metadata": {
            "name": name,
            "namespace": name_of(export)[0],
            "labels": {MANAGED: MANAGED_BY},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }
