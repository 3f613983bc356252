from __future__ import annotations

from ipaddress import ip_address

import pytest

from reference_impl.planner.global_objects import MOST, Target, read_egress, read_ingress, said
from reference_impl.protocols.selectors import Selector
from reference_impl.tests.planner.global_facts import (
    cluster_egress,
    egress,
    host_ingress,
    ingress,
    obj,
    service_ingress,
)


def test_a_service_or_a_pod_asks_for_one_address() -> None:
    found, unusable = read_ingress([service_ingress("web", "front"), ingress("one")])
    assert unusable == ()
    assert [(each.target, each.named, each.claim.count) for each in found] == [
        (Target.SERVICE, ("demo", "front"), 1),
        (Target.POD, ("demo", "pod-one"), 1),
    ]
    assert found[0].claim.owner == "uid-GlobalIngressIP-web"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"target": "Nowhere"}, "spec.target: none of"),
        ({"target": None}, "spec.target: none of"),
        ({"target": ["HeadlessServicePod"]}, "spec.target: none of"),
        ({"target": "HeadlessServiceEndpoints"}, "spec.serviceRef.name: missing"),
        ({"podRef": {}}, "spec.podRef.name: missing"),
        ({"podRef": "pod"}, "spec.podRef.name: missing"),
        ({"podRef": {"name": 3}}, "spec.podRef.name: missing"),
        ({"target": "ClusterIPService"}, "spec.serviceRef.name: missing"),
    ],
)
def test_who_asks_for_what_cannot_be_given_is_told_why_and_the_others_are_served(
    spec: dict[str, object], words: str
) -> None:
    found, (wrong,) = read_ingress([ingress("bad", spec=spec), ingress("good")])
    assert [each.named[1] for each in found] == ["pod-good"]
    assert (wrong.reason, words in wrong.message) == ("Invalid", True)


def test_an_endpoint_is_asked_for_by_its_address() -> None:
    ((found,), ()) = read_ingress([host_ingress("vm", "db", "192.168.7.5")])
    assert (found.target, found.named, str(found.endpoint)) == (Target.ENDPOINTS, ("demo", "db"), "192.168.7.5")


@pytest.mark.parametrize(
    "address", [None, "", "db-0", "127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"]
)
def test_what_no_host_can_be_called_by_is_no_endpoint(address: str | None) -> None:
    found, (wrong,) = read_ingress([host_ingress("vm", "db", address)])
    assert (found, wrong.reason) == ((), "Invalid")
    assert wrong.message.startswith("metadata.annotations[submariner.io/headless-svc-endpoints-ip]: ")


def test_an_object_without_spec_is_told_too() -> None:
    bare = obj("submariner.io/v1", "GlobalIngressIP", "bare")
    assert len(read_ingress([bare])[1]) == 1
    (found,), unusable = read_egress([obj("submariner.io/v1", "GlobalEgressIP", "bare")], [])
    assert (found.claim.count, found.selector, unusable) == (1, None, ())


@pytest.mark.parametrize("count", [-1, MOST + 1, "3", 1.5, True, None, [1]])
def test_a_number_of_addresses_that_is_none_is_refused(count: object) -> None:
    found, unusable = read_egress([egress("e", numberOfIPs=count)], [cluster_egress(numGlobalIPs=count)])
    assert found == ()
    assert [each.message for each in unusable] == [
        f"spec.numberOfIPs: not a number from 0 to {MOST}",
        f"spec.numGlobalIPs: not a number from 0 to {MOST}",
    ]


def test_only_one_object_speaks_for_the_cluster() -> None:
    found, (ignored,) = read_egress([], [cluster_egress("another"), cluster_egress(numGlobalIPs=4)])
    assert [(each.namespace, each.claim.count) for each in found] == [("", 4)]
    assert ignored.reason == "Ignored"


def test_no_selector_an_empty_one_and_one_that_cannot_be_read_are_three_things() -> None:
    found, (wrong,) = read_egress(
        [egress("all"), egress("empty", podSelector={}), egress("bad", podSelector={"matchExpressions": [{}]})], []
    )
    assert [each.selector for each in found] == [None, Selector()]
    assert "spec.podSelector.matchExpressions[0].key" in wrong.message


def test_the_narrowest_ranks_first_and_the_oldest_among_equals() -> None:
    young = egress("b", podSelector={})
    young["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    found, _ = read_egress([young, egress("namespace"), egress("a", podSelector={})], [cluster_egress()])
    assert [each.claim.owner for each in sorted(found, key=lambda each: each.rank)] == [
        "uid-GlobalEgressIP-a",
        "uid-GlobalEgressIP-b",
        "uid-GlobalEgressIP-namespace",
        "uid-ClusterGlobalEgressIP-cluster-egress.submariner.io",
    ]


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        (None, []),
        ({}, []),
        ({"allocatedIP": "100.64.0.7"}, ["100.64.0.7"]),
        ({"allocatedIPs": ["100.64.0.7", "?", None, "100.64.0.8"]}, ["100.64.0.7", "100.64.0.8"]),
        ({"allocatedIPs": "100.64.0.7"}, []),
    ],
)
def test_what_a_status_says_is_read_without_trust(status: object, addresses: list[str]) -> None:
    assert said({"status": status}) == tuple(map(ip_address, addresses))
