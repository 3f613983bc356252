"""Facts of a member in, findings out: each fault is named where it is, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.connection_findings import REMEDIES
from reference_impl.planner.diagnosis import diagnose
from reference_impl.planner.finding import Weight, age
from reference_impl.planner.installation_findings import KINDS, PROGRAMS
from reference_impl.planner.member_facts import Facts, Part

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000.0
STAMP = {"update-timestamp": str(int(NOW))}


def pod(name: str, *, ready: bool = True, waiting: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": "east-1"},
        "status": {"phase": "Running", "containerStatuses": [{"ready": ready, "state": state}]},
    }


def connection(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    entry = {
        "status": "connected",
        "statusMessage": "round trip to 10.2.0.1 confirmed",
        "mtu": 1450,
        "endpoint": {"cluster_id": "west", "backend": "vxlan", "subnets": ["10.2.0.0/16"], "public_ip": ""},
    }
    return entry | changes


def gateway(*connections: dict[str, Any], **status: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    said = {"haStatus": "active", "localEndpoint": {"cluster_id": "east"}, "connections": list(connections)}
    return {"metadata": {"name": "east-1", "annotations": dict(STAMP)}, "status": said | status}


def member(name: str, pods: str, *, foreign: bool = True) -> dict[str, Any]:
    labels = {"submariner-io/clusterID": name} if foreign else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"cluster_id": name, "cluster_cidr": [pods], "service_cidr": []},
    }


HEALTHY = Facts(
    now=NOW,
    kinds=frozenset(KINDS),
    nodes=(
        {
            "metadata": {"name": "east-1", "labels": {"submariner.io/gateway": "true"}},
            "spec": {"podCIDRs": ["10.1.0.0/24"]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
    ),
    pods=(pod("submariner-gateway-a"), pod("submariner-routeagent-a"), pod("somebody-else", ready=False)),
    daemon_sets=tuple({"metadata": {"name": name}} for name in PROGRAMS),
    rights=frozenset(
        [
            *(f"{kind}/{name}" for kind in ("ServiceAccount", "Role", "RoleBinding") for name in PROGRAMS),
            "ClusterRole/submariner-nodes",
            "ClusterRoleBinding/submariner-nodes",
        ]
    ),
    settings={"cluster-id": "east", "pod-cidrs": "10.1.0.0/16", "cable-driver": "vxlan"},
    credential_expires=NOW + 3600,
    clusters=(member("east", "10.1.0.0/16", foreign=False), member("west", "10.2.0.0/16")),
    endpoints=({"metadata": {"name": "west"}, "spec": {"cluster_id": "west"}},),
    gateways=(gateway(connection()),),
    route_agents=(
        {
            "metadata": {"name": "east-1", "annotations": dict(STAMP)},
            "status": {"remoteEndpoints": [{"status": "connected", "spec": {"cluster_id": "west"}}]},
        },
    ),
)


def codes(facts: Facts) -> list[str]:
    return [finding.code for finding in diagnose(facts)]


def broken(**changes: Any) -> Facts:  # noqa: ANN401 - JSON
    """Return the healthy member with another connection to west."""
    return replace(HEALTHY, gateways=(gateway(connection(**changes)),))


def with_node(change: Callable[[dict[str, Any]], object]) -> Facts:
    node = copy.deepcopy(HEALTHY.nodes[0])
    change(node)
    return replace(HEALTHY, nodes=(node,))


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert diagnose(HEALTHY) == ()


def with_node_cut_off() -> Facts:
    agent = copy.deepcopy(HEALTHY.route_agents[0])
    agent["status"]["remoteEndpoints"][0]["status"] = "error"
    return replace(HEALTHY, route_agents=(agent,))


HIDDEN = {"nat_enabled": True, "public_ip": ""}
FAULTS: dict[str, Facts] = {
    "KindsMissing": replace(HEALTHY, kinds=frozenset(KINDS[1:])),
    "NotInstalled": replace(HEALTHY, has_namespace=False),
    "NotJoined": replace(HEALTHY, settings=None),
    "CredentialExpired": replace(HEALTHY, credential_expires=NOW - 60),
    "NoGatewayNode": with_node(lambda node: node["metadata"].pop("labels")),
    "GatewayNodeNotReady": with_node(lambda node: node["status"].pop("conditions")),
    "PodRangeNotAnnounced": with_node(lambda node: node["spec"].update(podCIDRs=["10.9.0.0/24"])),
    "RightsMissing": replace(HEALTHY, rights=HEALTHY.rights - {"Role/submariner-gateway"}),
    "AgentMissing": replace(HEALTHY, daemon_sets=HEALTHY.daemon_sets[:1]),
    "AgentNotReady": replace(HEALTHY, pods=(pod("submariner-gateway-a", ready=False, waiting="CrashLoopBackOff"),)),
    "NoActiveGateway": replace(HEALTHY, gateways=(gateway(haStatus="passive"),)),
    "SeveralActiveGateways": replace(HEALTHY, gateways=HEALTHY.gateways * 2),
    "BrokerUnreachable": replace(HEALTHY, gateways=(gateway(connection(), statusFailure="broker: Cluster list: no"),)),
    "GatewayFailure": replace(HEALTHY, gateways=(gateway(connection(), statusFailure="link: not supported"),)),
    "NeverConnected": broken(status="connecting", statusMessage="no answer from 10.2.0.1 yet"),
    "ConnectionLost": broken(status="error", statusMessage="no answer from 10.2.0.1 for 3 s"),
    "OneDirectionLost": broken(
        status="error", statusMessage="no answer from 10.2.0.1 for 3 s, though its packets arrive: ours are lost"
    ),
    "NATWithoutPublicAddress": replace(
        HEALTHY,
        gateways=(
            gateway(
                connection(status="connecting", endpoint={"cluster_id": "west", **HIDDEN}),
                localEndpoint={"cluster_id": "east", **HIDDEN},
            ),
        ),
    ),
    "MTUTooSmall": broken(mtu=500),
    "NodeCutOff": with_node_cut_off(),
    "NoEndpoint": replace(HEALTHY, gateways=(gateway(),), endpoints=()),
    "NotConnected": replace(HEALTHY, gateways=(gateway(),)),
    "NoMembers": replace(HEALTHY, clusters=HEALTHY.clusters[:1]),
    "OverlappingCIDR": replace(HEALTHY, clusters=(HEALTHY.clusters[0], member("west", "10.1.128.0/17"))),
    **{
        reason: broken(status="error", statusMessage=f"{reason}: in words")
        for reason in REMEDIES
        if reason != "OverlappingCIDR"
    },
}


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_alone_is_named_alone_with_a_place_and_a_remedy(code: str) -> None:
    found = diagnose(FAULTS[code])
    assert [finding.code for finding in found] == [code]
    assert all((finding.where, finding.what, finding.remedy) for finding in found)


def aged(obj: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "annotations": {"update-timestamp": str(int(NOW - seconds))}}}


def test_a_leader_whose_report_is_old_leads_nobody() -> None:
    assert codes(replace(HEALTHY, gateways=(aged(HEALTHY.gateways[0], 16),))) == ["StaleReport", "NoActiveGateway"]


def test_a_node_whose_report_is_old_is_named_alone() -> None:
    assert codes(replace(HEALTHY, route_agents=(aged(HEALTHY.route_agents[0], 16),))) == ["StaleReport"]


def test_a_member_whose_heartbeat_is_missing_is_a_warning() -> None:
    condition = {"type": "Alive", "status": "Unknown", "reason": "HeartbeatStale", "message": "90 s"}
    west = {**HEALTHY.clusters[1], "status": {"conditions": [{"type": "Connected", "status": "True"}, condition]}}
    (finding,) = diagnose(replace(HEALTHY, clusters=(HEALTHY.clusters[0], west)))
    assert (finding.code, finding.weight, finding.where) == ("HeartbeatStale", Weight.WARNING, "member west")


def test_clocks_that_differ_are_a_warning() -> None:
    (finding,) = diagnose(replace(HEALTHY, gateways=(aged(HEALTHY.gateways[0], -60),)))
    assert (finding.code, finding.weight) == ("ClocksDiffer", Weight.WARNING)


@pytest.mark.parametrize("part", Part)
def test_what_may_not_be_read_is_said_and_nothing_concluded_from_its_absence(part: Part) -> None:
    absent: dict[Part, dict[str, Any]] = {
        Part.KINDS: {"kinds": frozenset()},
        Part.NAMESPACE: {"has_namespace": False},
        Part.NODES: {"nodes": ()},
        Part.PODS: {"pods": ()},
        Part.DAEMON_SETS: {"daemon_sets": ()},
        Part.RIGHTS: {"rights": frozenset()},
        Part.SETTINGS: {"settings": None},
        Part.CREDENTIAL: {"has_credential": False, "credential_expires": None},
        Part.OBJECTS: {"clusters": (), "endpoints": (), "gateways": (), "route_agents": ()},
    }
    (finding,) = diagnose(replace(HEALTHY, unread={part: "forbidden"}, **absent[part]))
    assert (finding.code, finding.weight) == ("NotReadable", Weight.WARNING)


def test_a_cluster_that_is_no_member_says_only_that() -> None:
    assert codes(Facts(now=NOW, has_namespace=False)) == ["KindsMissing", "NotInstalled"]


def test_what_follows_from_a_missing_gateway_node_is_left_out() -> None:
    facts = with_node(lambda node: node["metadata"].pop("labels"))
    assert codes(replace(facts, gateways=(), pods=())) == ["NoGatewayNode"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["connections", "endpoint", "cluster_id", "subnets", "status", "mtu", "haStatus"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["connections", "statusFailure", "localEndpoint"]), json, max_size=3))
def test_whatever_a_gateway_says_is_no_crash(status: dict[str, Any]) -> None:
    diagnose(replace(HEALTHY, gateways=(gateway(**status),)))


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.4, "3 s"), (150, "2 min"), (7200, "2 h"), (3 * 86400, "3 d"), (NOW, "months")]
)
def test_ages_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert age(seconds) == words
