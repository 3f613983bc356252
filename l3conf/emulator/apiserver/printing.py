"""The columns of ``kubectl get`` for built-in kinds (``pkg/printers/internalversion``), as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.cells import NONE, WIDE, at, count, integer, joined, selector, selector_text
from l3conf.emulator.apiserver.pod_columns import NODES, PODS
from l3conf.emulator.apiserver.tables import AGE, NAME, Column
from l3conf.emulator.apiserver.workload_columns import DAEMON_SETS, DEPLOYMENTS, EVENTS, REPLICA_SETS, owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object

_SHOWN_ENDPOINTS = 3


def _ports(ports: Iterable[Mapping[str, Any]]) -> str:
    return joined(
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol', 'TCP')}" for p in ports
    )


def _external(service: Object) -> str:
    spec, status = service["spec"], service.get("status") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    found = [*(i.get("ip") or i.get("hostname") for i in ingress), *(spec.get("externalIPs") or ())]
    return joined(found) if found or spec.get("type") != "LoadBalancer" else "<pending>"


def _endpoints(obj: Object) -> str:
    found = [
        f"[{a['ip']}]:{p['port']}" if ":" in a["ip"] else f"{a['ip']}:{p['port']}"
        for subset in obj.get("subsets") or ()
        for p in subset.get("ports") or ()
        for a in subset.get("addresses") or ()
    ]
    return _shortened(found)


def _shortened(found: Sequence[str]) -> str:
    more = len(found) - _SHOWN_ENDPOINTS
    return joined(found[:_SHOWN_ENDPOINTS]) + (f" + {more} more..." if more > 0 else "")


def _slice_ports(obj: Object) -> str:
    return joined(p.get("port", "*") for p in obj.get("ports") or ()) if obj.get("ports") else "<unset>"


def _slice_endpoints(obj: Object) -> str:
    found = [address for e in obj.get("endpoints") or () for address in e.get("addresses") or ()]
    return _shortened(found) if found else "<unset>"


def _role(obj: Object) -> str:
    return f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"


def _subjects(kind: str) -> Callable[[Object], str]:
    def show(obj: Object) -> str:
        chosen = (s for s in obj.get("subjects") or () if s["kind"] == kind)
        names = (f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"] for s in chosen)
        return ", ".join(names)

    return show


_BINDINGS = (
    NAME,
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), priority=WIDE),
    Column("Groups", _subjects("Group"), priority=WIDE),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=WIDE),
)
_CREATED_AT = Column("Created At", at("metadata", "creationTimestamp"))


PRINTED: Mapping[str, Sequence[Column]] = {
    "pods": PODS,
    "nodes": NODES,
    "events": EVENTS,
    "namespaces": (NAME, Column("Status", at("status", "phase")), AGE),
    "services": (
        NAME,
        Column("Type", at("spec", "type")),
        Column("Cluster-IP", at("spec", "clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", lambda obj: _ports(obj["spec"].get("ports") or ())),
        AGE,
        selector("spec", "selector"),
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "configmaps": (
        NAME,
        Column("Data", lambda obj: count("data")(obj) + count("binaryData")(obj), "integer"),
        AGE,
    ),
    "secrets": (NAME, Column("Type", at("type")), Column("Data", count("data"), "integer"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", count("secrets"), "integer"), AGE),
    "daemonsets.apps": DAEMON_SETS,
    "deployments.apps": DEPLOYMENTS,
    "replicasets.apps": REPLICA_SETS,
    "controllerrevisions.apps": (NAME, Column("Controller", owner), integer("Revision", "revision"), AGE),
    "leases.coordination.k8s.io": (NAME, Column("Holder", at("spec", "holderIdentity", missing="")), AGE),
    "roles.rbac.authorization.k8s.io": (NAME, _CREATED_AT),
    "clusterroles.rbac.authorization.k8s.io": (NAME, _CREATED_AT),
    "rolebindings.rbac.authorization.k8s.io": _BINDINGS,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDINGS,
    "customresourcedefinitions.apiextensions.k8s.io": (NAME, _CREATED_AT),
    "networkpolicies.networking.k8s.io": (
        NAME,
        Column("Pod-Selector", lambda obj: selector_text((obj.get("spec") or {}).get("podSelector"))),
        AGE,
    ),
    "poddisruptionbudgets.policy": (
        NAME,
        Column("Min Available", lambda obj: str(at("spec", "minAvailable", missing="N/A")(obj))),
        Column("Max Unavailable", lambda obj: str(at("spec", "maxUnavailable", missing="N/A")(obj))),
        integer("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ),
}
"""By storage key; anything else shows name and age."""
