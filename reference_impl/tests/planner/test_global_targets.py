from __future__ import annotations

import pytest

from reference_impl.planner.global_objects import read_egress, read_ingress
from reference_impl.planner.global_targets import resolve_targets
from reference_impl.tests.planner.global_facts import (
    Object,
    egress,
    endpoint,
    endpoint_slice,
    host_ingress,
    ingress,
    pod,
    port,
    service,
    service_ingress,
)

PODS = (pod("pod-one", "10.1.0.2", labels={"app": "web"}), pod("pod-host", "10.1.0.3", hostNetwork=True))
SERVICES = (service("web", port(80)), service("headless", port(80), cluster_ip="None"))
SLICES = (endpoint_slice("db", [port(80)], endpoint("192.168.7.7")),)


def reason(obj: Object) -> str:
    (calls, _), (leaves, _) = (
        read_ingress([obj] if "Ingress" in obj["kind"] else []),
        read_egress([obj] if "Egress" in obj["kind"] else [], []),
    )
    found = resolve_targets(calls, leaves, version=4, pods=PODS, services=SERVICES, slices=SLICES, reserved=())
    return "".join(each.reason for each in found.values())


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(ingress("one"), "ResolvedRefs", id="a pod"),
        pytest.param(ingress("missing"), "BackendNotFound", id="no pod"),
        pytest.param(ingress("host"), "BackendNotFound", id="a pod in the network of its node"),
        pytest.param(service_ingress("web", "web"), "ResolvedRefs", id="a Service"),
        pytest.param(service_ingress("none", "none"), "BackendNotFound", id="no Service"),
        pytest.param(service_ingress("bare", "headless"), "BackendNotFound", id="a Service without an address"),
        pytest.param(host_ingress("vm", "db", "192.168.7.7"), "ResolvedRefs", id="a host behind a Service"),
        pytest.param(host_ingress("other", "db", "192.168.7.8"), "BackendNotFound", id="a host that is not behind it"),
        pytest.param(egress("all"), "", id="a namespace"),
        pytest.param(egress("web", podSelector={"matchLabels": {"app": "web"}}), "ResolvedRefs", id="pods"),
        pytest.param(egress("none", podSelector={"matchLabels": {"app": "db"}}), "NoMatchingPods", id="no pods"),
        pytest.param(
            egress("far", namespace="other", podSelector={"matchLabels": {"app": "web"}}),
            "NoMatchingPods",
            id="pods of another namespace",
        ),
        pytest.param(
            egress(
                "never",
                podSelector={
                    "matchExpressions": [
                        {"key": "app", "operator": "Exists"},
                        {"key": "app", "operator": "DoesNotExist"},
                    ]
                },
            ),
            "NoMatchingPods",
            id="what no pod can be",
        ),
    ],
)
def test_what_an_object_names_is_there_or_said_to_be_missing(obj: Object, expected: str) -> None:
    assert reason(obj) == expected
