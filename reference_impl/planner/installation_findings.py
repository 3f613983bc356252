"""What is wrong with an installation: kinds, namespace, settings, nodes, rights, agents. Pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.names import API_GROUP, GATEWAY_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.finding import Finding, Weight, age, entries, mapping
from reference_impl.planner.member_facts import Facts, Object, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS = ("clusters", "endpoints", "gateways", "routeagents")
"""Plurals that must be served."""
PROGRAMS = ("submariner-gateway", "submariner-routeagent")
"""DaemonSets, and the ServiceAccounts, Roles and RoleBindings of the same names."""
_MANIFESTS = "reference_impl/manifests"


def missing_kinds(facts: Facts) -> Iterable[Finding]:
    """Find kinds that are not served."""
    missing = [] if Part.KINDS in facts.unread else [kind for kind in KINDS if kind not in facts.kinds]
    if missing:
        yield Finding(
            code="KindsMissing",
            where=f"{API_GROUP}/v1",
            what=f"the API does not serve {', '.join(missing)}",
            remedy=f"kubectl apply -f {_MANIFESTS}/crds",
        )


def not_installed(facts: Facts) -> Iterable[Finding]:
    """Find what joining would have made."""
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


def settings(facts: Facts) -> Iterable[Finding]:
    """Find what was valid once."""
    ends = facts.credential_expires
    if ends is not None and ends <= facts.now:
        yield Finding(
            code="CredentialExpired",
            where=f"{MEMBER_NAMESPACE}/submariner-broker",
            what=f"the broker's token ended {age(facts.now - ends)} ago: nothing is exchanged with the broker",
            remedy="join the cluster again: that renews it",
        )


def gateway_nodes(facts: Facts) -> Iterable[Finding]:
    """Find that nobody may hold cables."""
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


def pod_ranges(facts: Facts) -> Iterable[Finding]:
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


def rights(facts: Facts) -> Iterable[Finding]:
    """Find rights that agents lack."""
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


def agents(facts: Facts) -> Iterable[Finding]:
    """Find agents that do not run."""
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


def _conditions(obj: Object) -> list[Mapping[str, Any]]:
    return entries(mapping(obj.get("status")).get("conditions"))
