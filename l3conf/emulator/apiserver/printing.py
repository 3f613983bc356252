"""The columns of ``kubectl get`` for built-in kinds (``pkg/printers/internalversion``), as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.tables import AGE, NAME, UNKNOWN, Column, age, created

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object

NONE = "<none>"
WIDE = 1
_SHOWN_ENDPOINTS = 3


def _at(*path: str, missing: Any = NONE) -> Callable[[Object], Any]:  # noqa: ANN401 - a cell
    def show(obj: Object) -> Any:  # noqa: ANN401 - a cell
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return missing if value is None or value == "" else value

    return show


def _integer(name: str, *path: str) -> Column:
    return Column(name, _at(*path, missing=0), "integer")


def _count(*path: str) -> Callable[[Object], int]:
    find = _at(*path, missing=())
    return lambda obj: len(find(obj))


def _joined(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in values) or NONE


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Return a label selector, or a plain map of labels, as kubectl prints it."""
    if not selector:
        return NONE
    labels = selector.get("matchLabels", selector if "matchExpressions" not in selector else {})
    signs = {"In": "in", "NotIn": "notin"}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(term.get("values") or ())
        sign = signs.get(term["operator"])
        exists = term["key"] if term["operator"] == "Exists" else f"!{term['key']}"
        terms.append(f"{term['key']} {sign} ({values})" if sign else exists)
    return _joined(terms)


def _containers(*path: str) -> tuple[Column, Column]:
    find = _at(*path, "containers", missing=())
    return (
        Column("Containers", lambda obj: _joined(c.get("name") for c in find(obj)), priority=WIDE),
        Column("Images", lambda obj: _joined(c.get("image") for c in find(obj)), priority=WIDE),
    )


def _selector(*path: str) -> Column:
    find = _at(*path, missing=None)
    return Column("Selector", lambda obj: selector_text(find(obj)), priority=WIDE)


# Pods


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


_PODS = (
    NAME,
    Column("Ready", _pod_ready),
    Column("Status", _pod_status),
    Column("Restarts", _pod_restarts),
    AGE,
    Column("IP", _at("status", "podIP"), priority=WIDE),
    Column("Node", _at("spec", "nodeName"), priority=WIDE),
    Column("Nominated Node", _at("status", "nominatedNodeName"), priority=WIDE),
    Column("Readiness Gates", _gates, priority=WIDE),
)

# Services and endpoints


def _ports(ports: Iterable[Mapping[str, Any]]) -> str:
    return _joined(
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol', 'TCP')}" for p in ports
    )


def _external(service: Object) -> str:
    spec, status = service["spec"], service.get("status") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    found = [*(i.get("ip") or i.get("hostname") for i in ingress), *(spec.get("externalIPs") or ())]
    return _joined(found) if found or spec.get("type") != "LoadBalancer" else "<pending>"


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
    return _joined(found[:_SHOWN_ENDPOINTS]) + (f" + {more} more..." if more > 0 else "")


def _slice_ports(obj: Object) -> str:
    return _joined(p.get("port", "*") for p in obj.get("ports") or ()) if obj.get("ports") else "<unset>"


def _slice_endpoints(obj: Object) -> str:
    found = [address for e in obj.get("endpoints") or () for address in e.get("addresses") or ()]
    return _shortened(found) if found else "<unset>"


# Nodes


def _node_status(node: Object) -> str:
    conditions = {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or ()}
    word = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady"}.get(conditions.get("Ready", ""), "Unknown")
    return f"{word},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else word


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)} | {labels.get("kubernetes.io/role")}
    return _joined(sorted(role for role in roles if role))


def _node_address(kind: str) -> Callable[[Object], str]:
    def show(node: Object) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((str(a["address"]) for a in addresses if a["type"] == kind), NONE)

    return show


def _node_info(name: str, field: str) -> Column:
    return Column(name, _at("status", "nodeInfo", field, missing=UNKNOWN), priority=WIDE)


_NODES = (
    NAME,
    Column("Status", _node_status),
    Column("Roles", _node_roles),
    AGE,
    Column("Version", _at("status", "nodeInfo", "kubeletVersion", missing="")),
    Column("Internal-IP", _node_address("InternalIP"), priority=WIDE),
    Column("External-IP", _node_address("ExternalIP"), priority=WIDE),
    _node_info("OS-Image", "osImage"),
    _node_info("Kernel-Version", "kernelVersion"),
    _node_info("Container-Runtime", "containerRuntimeVersion"),
)

# Workloads


def _node_selector(obj: Object) -> str:
    template = (obj["spec"].get("template") or {}).get("spec") or {}
    return selector_text(template.get("nodeSelector"))


_DAEMON_SETS = (
    NAME,
    _integer("Desired", "status", "desiredNumberScheduled"),
    _integer("Current", "status", "currentNumberScheduled"),
    _integer("Ready", "status", "numberReady"),
    _integer("Up-to-date", "status", "updatedNumberScheduled"),
    _integer("Available", "status", "numberAvailable"),
    Column("Node Selector", _node_selector),
    AGE,
    *_containers("spec", "template", "spec"),
    _selector("spec", "selector"),
)


def _deployment_ready(obj: Object) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"


_DEPLOYMENTS = (
    NAME,
    Column("Ready", _deployment_ready),
    _integer("Up-to-date", "status", "updatedReplicas"),
    _integer("Available", "status", "availableReplicas"),
    AGE,
    *_containers("spec", "template", "spec"),
    _selector("spec", "selector"),
)
_REPLICA_SETS = (
    NAME,
    _integer("Desired", "spec", "replicas"),
    _integer("Current", "status", "replicas"),
    _integer("Ready", "status", "readyReplicas"),
    AGE,
    *_containers("spec", "template", "spec"),
    _selector("spec", "selector"),
)


def _owner(obj: Object) -> str:
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    return f"{owner['kind'].lower()}.{owner['apiVersion'].partition('/')[0]}/{owner['name']}" if owner else NONE


# Events


def _last_seen(event: Object) -> str:
    moment = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return age(moment) if moment else created(event)


def _involved(event: Object) -> str:
    involved = event.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _source(event: Object) -> str:
    source = event.get("source") or {}
    parts = (source.get("component") or event.get("reportingComponent"), source.get("host"))
    return ", ".join(part for part in parts if part)


_EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", _at("type", missing="")),
    Column("Reason", _at("reason", missing="")),
    Column("Object", _involved),
    Column("Subobject", _at("involvedObject", "fieldPath", missing=""), priority=WIDE),
    Column("Source", _source, priority=WIDE),
    Column("Message", lambda event: str(event.get("message") or "").strip()),
    Column("First Seen", lambda event: age(event.get("firstTimestamp") or event.get("eventTime")), priority=WIDE),
    Column("Count", _at("count", missing=1), priority=WIDE),
    Column("Name", lambda event: event["metadata"]["name"], priority=WIDE, format="name"),
)

# RBAC and the rest


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
_CREATED_AT = Column("Created At", _at("metadata", "creationTimestamp"))


PRINTED: Mapping[str, Sequence[Column]] = {
    "pods": _PODS,
    "nodes": _NODES,
    "events": _EVENTS,
    "namespaces": (NAME, Column("Status", _at("status", "phase")), AGE),
    "services": (
        NAME,
        Column("Type", _at("spec", "type")),
        Column("Cluster-IP", _at("spec", "clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", lambda obj: _ports(obj["spec"].get("ports") or ())),
        AGE,
        _selector("spec", "selector"),
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", _at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "configmaps": (
        NAME,
        Column("Data", lambda obj: _count("data")(obj) + _count("binaryData")(obj), "integer"),
        AGE,
    ),
    "secrets": (NAME, Column("Type", _at("type")), Column("Data", _count("data"), "integer"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", _count("secrets"), "integer"), AGE),
    "daemonsets.apps": _DAEMON_SETS,
    "deployments.apps": _DEPLOYMENTS,
    "replicasets.apps": _REPLICA_SETS,
    "controllerrevisions.apps": (NAME, Column("Controller", _owner), _integer("Revision", "revision"), AGE),
    "leases.coordination.k8s.io": (NAME, Column("Holder", _at("spec", "holderIdentity", missing="")), AGE),
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
        Column("Min Available", lambda obj: str(_at("spec", "minAvailable", missing="N/A")(obj))),
        Column("Max Unavailable", lambda obj: str(_at("spec", "maxUnavailable", missing="N/A")(obj))),
        _integer("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ),
}
"""By storage key; anything else shows name and age."""
