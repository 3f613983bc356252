"""What is wrong with a member, where, and what mends it: facts from its API in, findings out. Pure.

The order is that in which things depend on one another: who has no kinds has no agents, who has no agents has no
connections. A finding whose cause is another finding is left out, so that the first line is where to begin.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import API_GROUP, GATEWAY_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.connection_findings import connection_findings, member_findings
from reference_impl.planner.finding import Finding, Weight, age, entries, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object: TypeAlias = dict[str, Any]
KINDS = ("clusters", "endpoints", "gateways", "routeagents")
"""Plurals that must be served."""
PROGRAMS = ("submariner-gateway", "submariner-routeagent")
"""DaemonSets, and the ServiceAccounts, Roles and RoleBindings of the same names."""
STALE = 15
"""Seconds: three missed reports."""
AHEAD = 5
"""Seconds that a report may be ahead of the reader's clock."""
_MANIFESTS = "reference_impl/manifests"


class Part(enum.Enum):
    """What is read. The value names it for people."""

    KINDS = "custom resource definitions"
    NAMESPACE = "namespace"
    NODES = "nodes"
    PODS = "pods"
    DAEMON_SETS = "DaemonSets"
    RIGHTS = "Roles, RoleBindings and ServiceAccounts"
    SETTINGS = "settings"
    CREDENTIAL = "the broker's Secret"
    OBJECTS = "Clusters, Endpoints, Gateways and RouteAgents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a member's API tells. Objects as JSON, read without trust."""

    now: float
    """Unix seconds."""
    kinds: frozenset[str] = frozenset()
    """Plurals of ``submariner.io`` that are served."""
    has_namespace: bool = True
    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    daemon_sets: tuple[Object, ...] = ()
    rights: frozenset[str] = frozenset()
    """``Kind/name`` of Roles, RoleBindings, ServiceAccounts, ClusterRoles and ClusterRoleBindings."""
    settings: Mapping[str, str] | None = None
    """Data of the ConfigMap; None if there is none."""
    has_credential: bool = True
    credential_expires: float | None = None
    """Unix seconds at which the broker's token ends; None where it does not tell."""
    clusters: tuple[Object, ...] = ()
    endpoints: tuple[Object, ...] = ()
    gateways: tuple[Object, ...] = ()
    route_agents: tuple[Object, ...] = ()
    unread: Mapping[Part, str] = field(default_factory=dict)
    """What could not be read and why: nothing is concluded from its absence."""


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings, causes before what follows from them; none if nothing is wrong."""
    missing = [*_missing_kinds(facts), *_not_installed(facts)]
    found = [*_unread(facts), *missing]
    if any(finding.weight is Weight.ERROR for finding in missing):
        return tuple(found)
    nodes = [*_gateway_nodes(facts), *_pod_ranges(facts)]
    agents = [*_rights(facts), *_agents(facts)]
    found += [*_settings(facts), *nodes, *agents]
    reports = list(_reports(facts))
    leaders = [obj for obj in facts.gateways if _leads(obj) and _is_fresh(obj, facts.now)]
    if not leaders and any(finding.weight is Weight.ERROR for finding in (*nodes, *agents)):
        # Nobody leads because nobody runs: that is said already, and what is left of reports says nothing.
        return tuple(found)
    found += [*reports, *_leadership(facts, leaders)]
    for obj in leaders:
        found += connection_findings(obj, facts.route_agents, mapping(facts.settings))
    if leaders:
        found += member_findings(facts.clusters, facts.endpoints, leaders, mapping(facts.settings))
    return tuple(dict.fromkeys(found))


def _unread(facts: Facts) -> Iterable[Finding]:
    for part, reason in facts.unread.items():
        yield Finding(
            weight=Weight.WARNING,
            code="NotReadable",
            where=part.value,
            what=f"cannot be read, so nothing is said of them: {reason}",
            remedy="use a kubeconfig whose user may get and list them",
        )


def _missing_kinds(facts: Facts) -> Iterable[Finding]:
    missing = [] if Part.KINDS in facts.unread else [kind for kind in KINDS if kind not in facts.kinds]
    if missing:
        yield Finding(
            code="KindsMissing",
            where=f"{API_GROUP}/v1",
            what=f"the API does not serve {', '.join(missing)}",
            remedy=f"kubectl apply -f {_MANIFESTS}/crds",
        )


def _not_installed(facts: Facts) -> Iterable[Finding]:
    if not facts.has_namespace and Part.NAMESPACE not in facts.unread:
        yield Finding(
            code="NotInstalled",
            where=f"namespace {MEMBER_NAMESPACE}",
            what="there is no such namespace: this cluster is no member",
            remedy="deploy and join it (python -m reference_impl.hooks)",
        )
        return
    if facts.settings is None and Part.SETTINGS not in facts.unread:
        yield Finding(
            code="NotJoined",
            where=f"{MEMBER_NAMESPACE}/submariner-settings",
            what="there is no such ConfigMap: the agents do not know which member they are",
            remedy="join the cluster (python -m reference_impl.hooks join)",
        )
    if not facts.has_credential and Part.CREDENTIAL not in facts.unread:
        yield Finding(
            code="NotJoined",
            where=f"{MEMBER_NAMESPACE}/submariner-broker",
            what="there is no such Secret: the gateway agent cannot reach the broker",
            remedy="join the cluster again (python -m reference_impl.hooks join)",
        )


def _settings(facts: Facts) -> Iterable[Finding]:
    ends = facts.credential_expires
    if ends is not None and ends <= facts.now:
        yield Finding(
            code="CredentialExpired",
            where=f"{MEMBER_NAMESPACE}/submariner-broker",
            what=f"the broker's token ended {age(facts.now - ends)} ago: nothing is exchanged with the broker",
            remedy="join the cluster again: that renews it",
        )


def _gateway_nodes(facts: Facts) -> Iterable[Finding]:
    if Part.NODES in facts.unread:
        return
    labelled = [obj for obj in facts.nodes if mapping(obj["metadata"].get("labels")).get(GATEWAY_LABEL) == "true"]
    if not labelled:
        example = facts.nodes[0]["metadata"]["name"] if facts.nodes else "NODE"
        yield Finding(
            code="NoGatewayNode",
            where="nodes",
            what=f"no node has the label {GATEWAY_LABEL}=true: nobody holds cables",
            remedy=f"kubectl label node {example} {GATEWAY_LABEL}=true",
        )
    for obj in labelled:
        ready = next((each for each in _conditions(obj) if each.get("type") == "Ready"), {})
        if ready.get("status") != "True":
            yield Finding(
                weight=Weight.ERROR if len(labelled) == 1 else Weight.WARNING,
                code="GatewayNodeNotReady",
                where=f"node {obj['metadata']['name']}",
                what=f"the gateway node is not ready: {ready.get('message') or ready.get('reason') or 'no word of it'}",
                remedy="look after the node, or label another one as a gateway",
            )


def _pod_ranges(facts: Facts) -> Iterable[Finding]:
    """Find pods' ranges that no other member is told of."""
    try:
        announced = [ip_network(word.strip()) for word in mapping(facts.settings).get("pod-cidrs", "").split(",")]
        ranges = [
            (obj["metadata"]["name"], ip_network(text))
            for obj in facts.nodes
            for text in mapping(obj.get("spec")).get("podCIDRs") or []
        ]
    except ValueError:
        return
    for node, one in ranges:
        if not any(one.version == each.version and one.subnet_of(each) for each in announced):  # type: ignore[arg-type]
            yield Finding(
                code="PodRangeNotAnnounced",
                where=f"node {node}",
                what=f"its pods' range {one} is in none of the announced pod CIDRs: other members do not route to it",
                remedy=f"correct pod-cidrs in {MEMBER_NAMESPACE}/submariner-settings (join with the right podCIDRs)",
            )


def _rights(facts: Facts) -> Iterable[Finding]:
    if Part.RIGHTS in facts.unread:
        return
    wanted = [
        *(f"{kind}/{name}" for kind in ("ServiceAccount", "Role", "RoleBinding") for name in PROGRAMS),
        "ClusterRole/submariner-nodes",
        "ClusterRoleBinding/submariner-nodes",
    ]
    missing = [name for name in wanted if name not in facts.rights]
    if missing:
        yield Finding(
            code="RightsMissing",
            where=MEMBER_NAMESPACE,
            what=f"agents lack their rights: there is no {', '.join(missing)}",
            remedy=f"kubectl apply -f {_MANIFESTS}/member/rbac.yaml",
        )


def _agents(facts: Facts) -> Iterable[Finding]:
    if Part.DAEMON_SETS not in facts.unread:
        present = {obj["metadata"]["name"] for obj in facts.daemon_sets}
        for name in PROGRAMS:
            if name not in present:
                yield Finding(
                    code="AgentMissing",
                    where=f"{MEMBER_NAMESPACE}/{name}",
                    what="there is no such DaemonSet",
                    remedy="deploy the member again (python -m reference_impl.hooks deploy)",
                )
    for obj in facts.pods:
        reason = _why_not_ready(obj)
        if reason:
            name = obj["metadata"]["name"]
            yield Finding(
                code="AgentNotReady",
                where=f"pod {name} on {mapping(obj.get('spec')).get('nodeName') or 'no node'}",
                what=f"the agent is not ready: {reason}",
                remedy=f"kubectl -n {MEMBER_NAMESPACE} describe pod {name}; kubectl -n {MEMBER_NAMESPACE} logs {name}",
            )


def _why_not_ready(pod: Object) -> str:
    """Return why a pod of an agent does not run; "" if it does, or is no agent's."""
    if not str(pod["metadata"]["name"]).startswith(PROGRAMS):
        return ""
    status = mapping(pod.get("status"))
    states = entries(status.get("containerStatuses"))
    if states and all(each.get("ready") for each in states):
        return ""
    for each in states:
        waiting = mapping(mapping(each.get("state")).get("waiting"))
        if waiting.get("reason"):
            return f"{waiting['reason']} {waiting.get('message') or ''}".strip()
    return f"it is {status.get('phase') or 'in no phase'}"


def _reports(facts: Facts) -> Iterable[Finding]:
    for kind, objects in (("gateway", facts.gateways), ("route agent", facts.route_agents)):
        for obj in objects:
            seconds = facts.now - _stamp(obj)
            where = f"{kind} {obj['metadata']['name']}"
            if seconds > STALE:
                yield Finding(
                    code="StaleReport",
                    where=where,
                    what=f"its last report is {age(seconds)} old: the agent is dead, or cannot write",
                    remedy=f"kubectl -n {MEMBER_NAMESPACE} get pods -o wide; whatever it said is worth nothing now",
                )
            elif seconds < -AHEAD:
                yield Finding(
                    weight=Weight.WARNING,
                    code="ClocksDiffer",
                    where=where,
                    what=f"its last report is dated {age(-seconds)} ahead of this machine's clock",
                    remedy="set the clocks of nodes and of this machine (NTP)",
                )


def _leadership(facts: Facts, leaders: list[Object]) -> Iterable[Finding]:
    if Part.OBJECTS in facts.unread:
        return
    if not leaders:
        yield Finding(
            code="NoActiveGateway",
            where="gateways",
            what="no gateway says that it is active",
            remedy=f"kubectl -n {MEMBER_NAMESPACE} get gateways,lease submariner-gateway-lock",
        )
    elif len(leaders) > 1:
        yield Finding(
            code="SeveralActiveGateways",
            where=", ".join(sorted(obj["metadata"]["name"] for obj in leaders)),
            what="several gateways say that they are active",
            remedy="wait for a lease period (15 s); then look at the lease submariner-gateway-lock",
        )


def _leads(obj: Object) -> bool:
    return mapping(obj.get("status")).get("haStatus") == "active"


def _is_fresh(obj: Object, now: float) -> bool:
    return now - _stamp(obj) <= STALE


def _stamp(obj: Object) -> float:
    text = str(mapping(obj["metadata"].get("annotations")).get("update-timestamp", ""))
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def _conditions(obj: Object) -> list[Mapping[str, Any]]:
    return entries(mapping(obj.get("status")).get("conditions"))
