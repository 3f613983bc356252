"""The manifests put probe pods where the topology says, with no more rights than raw sockets."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest

from l3conf.model.topology import ClusterSpec, NodeSpec
from l3conf.probes.manifests import NODE_LABEL, probe_manifests

EAST = ClusterSpec(
    name="east",
    pod_cidrs=(IPv4Network("10.1.0.0/16"),),
    service_cidrs=(IPv4Network("10.101.0.0/16"),),
    node_cidrs=(IPv4Network("172.16.1.0/24"),),
    nodes=(NodeSpec(name="east-1", gateway=True), NodeSpec(name="east-2")),
)


def test_what_others_need_comes_first() -> None:
    kinds = [each["kind"] for each in probe_manifests(EAST)]
    assert kinds == ["Namespace", "ServiceAccount", "Pod", "Pod", "Service"]


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (0, []),
        (1, ["probe-east-1", "probe-east-2"]),
        (2, ["probe-east-1-0", "probe-east-1-1", "probe-east-2-0", "probe-east-2-1"]),
    ],
)
def test_each_node_has_its_pods_by_name(count: int, names: list[str]) -> None:
    pods = [each for each in probe_manifests(EAST, pods_per_node=count) if each["kind"] == "Pod"]
    assert [pod["metadata"]["name"] for pod in pods] == names
    for pod in pods:
        assert pod["metadata"]["labels"][NODE_LABEL] == pod["spec"]["nodeName"]
        assert pod["metadata"]["name"].startswith(f"probe-{pod['spec']['nodeName']}")


def test_a_pod_knows_its_place_and_no_token() -> None:
    pod = next(each for each in probe_manifests(EAST, namespace="elsewhere") if each["kind"] == "Pod")
    (container,) = pod["spec"]["containers"]
    assert {"name": "L3CONF_PLACE", "value": "east/elsewhere/probe-east-1"} in container["env"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}


def test_the_service_selects_the_pods_for_both_transports() -> None:
    *_, pod, service = probe_manifests(EAST)
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert {(port["protocol"], port["port"]) for port in service["spec"]["ports"]} == {("UDP", 7100), ("TCP", 7100)}


def test_manifests_are_json_and_share_no_parts() -> None:
    first, second = probe_manifests(EAST), probe_manifests(EAST)
    first[2]["metadata"]["labels"]["app"] = "changed"
    assert json.loads(json.dumps(second)) == probe_manifests(EAST)
