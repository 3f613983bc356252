"""Carries changes out in a lab, each to its end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.model.api_faults import APIDropped, APIRefused, EventsLate
from l3conf.model.faults import AgentsKilled, Loss, NodeAdded, NodeCrash
from l3conf.plugin.agents import AT_ONCE
from l3conf.plugin.connection_policies import EVERYBODY, NAMESPACE, clusters, connect, isolate
from l3conf.plugin.node_labels import GATEWAY_LABEL, label_node
from l3conf.probes.manifests import NAMESPACE as PROBES
from l3conf.probes.manifests import pod_manifest
from l3conf.probes.wire import PORT
from l3conf.soak.changes import Kind
from l3conf.soak.invariants import active_gateways

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.bench.members import MemberSet
    from l3conf.model.faults import Fault
    from l3conf.plugin.cluster_api import ClusterAPI
    from l3conf.soak.changes import Change, State

_AGENTS = "system:serviceaccount:*"
"""Whose requests meet faults of APIs: what looks on is spared."""
_SHARE = 0.5
"""Of requests, and of packets in a lossy underlay."""
_PODS = 5
_PATIENCE = 60.0
_PERIOD = 0.2
_API = "l3conf.io/v1alpha1"
_POLICIES = f"/apis/{_API}/namespaces/{NAMESPACE}/clusterconnectionpolicies"
_EXPORTS = f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{PROBES}/serviceexports"
_SERVICES = f"/api/v1/namespaces/{PROBES}/services"
_NAME = "soak"


class Stage:
    """A running set, and what can be done to it."""

    def __init__(self, members: MemberSet, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._members = members
        self._sleep = sleep

    def let_everybody_connect(self) -> bool:
        """Write the policy that says what holds anyway; False if the broker knows no policies."""
        body = _policy("everybody", connect(EVERYBODY, EVERYBODY))
        return self._members.broker.request("POST", _POLICIES, body=body).ok

    def resolved(self, change: Change, state: State) -> Change:
        """Return a change that names its node, where it means the active gateway."""
        if change.kind not in {Kind.CRASH, Kind.MOVE} or change.node:
            return change
        active = active_gateways(self._members, state)[change.cluster]
        if len(active) != 1:
            raise LabError(f"{len(active)} gateways call themselves active", where=change.cluster)
        return replace(change, node=active[0])

    def carry_out(self, change: Change, state: State) -> None:
        """Do it, and wait for its end. ``LabError`` if the lab cannot."""
        match change.kind:
            case Kind.LEAVE:
                self._members.leave(change.cluster)
            case Kind.JOIN:
                self._members.join(change.cluster)
            case Kind.ROTATE:
                self._members.rotate(change.cluster)
            case Kind.MOVE:
                self._move(change, state)
            case Kind.ISOLATE | Kind.CONNECT:
                self._policy(change)
            case Kind.PODS:
                self._churn(change, state)
            case Kind.SERVICE:
                self._export(change)
            case _:
                with ExitStack() as stack:
                    for fault in faults(change):
                        stack.enter_context(self._members.lab.fault(fault))
                    for one, other in cuts(change, sorted(state.members)):
                        stack.enter_context(self._members.lab.cut(one, other))
                    self._sleep(change.seconds)

    def _move(self, change: Change, state: State) -> None:
        """Relieve the active gateway node, wait until another one is active, and let it stand by."""
        api = self._members.apis[change.cluster]
        label_node(api, change.node, {GATEWAY_LABEL: None})
        try:
            self._await(lambda: self._has_moved(change, state), f"{change.cluster}: no gateway took over")
        finally:
            label_node(api, change.node, {GATEWAY_LABEL: "true"})

    def _has_moved(self, change: Change, state: State) -> bool:
        active = active_gateways(self._members, state)[change.cluster]
        return len(active) == 1 and active[0] != change.node

    def _policy(self, change: Change) -> None:
        name = "-".join(("apart", *sorted((change.cluster, change.other))))
        if change.kind is Kind.ISOLATE:
            body = _policy(name, isolate(clusters(change.cluster), clusters(change.other)))
            answer = self._members.broker.request("POST", _POLICIES, body=body)
        else:
            answer = self._members.broker.request("DELETE", f"{_POLICIES}/{name}")
        if not answer.ok:
            raise LabError(f"the policy {name} was refused ({answer.status}): {answer.message}", where="broker")

    def _churn(self, change: Change, state: State) -> None:
        """Let pods come on all nodes in turn, run, and go."""
        api, nodes = self._members.apis[change.cluster], state.topology.cluster(change.cluster).nodes
        names = [f"{_NAME}-{number}" for number in range(_PODS)]
        pods = f"/api/v1/namespaces/{PROBES}/pods"
        for number, name in enumerate(names):
            node = nodes[number % len(nodes)].name
            api.apply(pod_manifest(change.cluster, PROBES, node, name, labels={"app": _NAME}))
        try:
            self._await(lambda: all(_runs(api, f"{pods}/{name}") for name in names), f"{change.cluster}: a pod")
        finally:
            for name in names:
                api.request("DELETE", f"{pods}/{name}", body=AT_ONCE)
        gone = frozenset(names)
        self._await(lambda: not gone & {each["metadata"]["name"] for each in api.items(pods)}, "pods do not go")

    def _export(self, change: Change) -> None:
        """Let a Service come, be exported where that is known, and go."""
        api = self._members.apis[change.cluster]
        metadata = {"name": _NAME, "namespace": PROBES}
        ports = [{"name": "tcp", "port": PORT, "protocol": "TCP"}]
        spec = {"selector": {"app": "l3conf-probe"}, "ports": ports}
        api.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        export = {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": metadata}
        exported = api.request("POST", _EXPORTS, body=export).ok
        self._sleep(1.0)
        if exported:
            api.request("DELETE", f"{_EXPORTS}/{_NAME}")
        api.request("DELETE", f"{_SERVICES}/{_NAME}")

    def _await(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise LabError(f"{what} within {_PATIENCE:g} s", where="soak")
            self._sleep(_PERIOD)


def faults(change: Change) -> list[Fault]:
    """Return the faults that a change consists of; none where it consists of something else. Pure."""
    cluster, node, kind = change.cluster, change.node, change.kind
    ways = ((cluster, change.other), (change.other, cluster)) if kind is Kind.LOSS else ()
    found: dict[Kind, Fault] = {
        Kind.KILL: AgentsKilled(cluster=cluster, node=node),
        Kind.CRASH: NodeCrash(cluster=cluster, node=node),
        Kind.NODE: NodeAdded(cluster=cluster),
        Kind.REFUSALS: APIRefused(cluster=cluster, user=_AGENTS, share=_SHARE, code=503),
        Kind.DROPS: APIDropped(cluster=cluster, user=_AGENTS, share=_SHARE, carried_out=True),
        Kind.LATE: EventsLate(cluster=cluster, user=_AGENTS, seconds=2.0),
    }
    return [
        *([found[kind]] if kind in found else []),
        *(Loss(source=one, destination=other, share=_SHARE) for one, other in ways),
    ]


def cuts(change: Change, members: list[str]) -> list[tuple[str, str]]:
    """Return the ways that a change closes, from site to site. Pure."""
    if change.kind is Kind.CUT:
        return [(change.cluster, change.other), (change.other, change.cluster)]
    if change.kind is Kind.BROKER:
        return [way for member in members for way in ((member, "broker"), ("broker", member))]
    return []


def _policy(name: str, specification: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": _API, "kind": "ClusterConnectionPolicy", "metadata": metadata, "spec": specification}


def _runs(api: ClusterAPI, path: str) -> bool:
    try:
        return bool(api.get(path).get("status", {}).get("phase") == "Running")
    except LookupError:
        return False
