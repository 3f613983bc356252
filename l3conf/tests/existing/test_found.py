"""What a cluster's own objects say of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from l3conf.errors import MissingPrerequisiteError
from l3conf.labs.existing.found import FoundCluster, Surveyed, find_cluster

PODS, SERVICES = (ip_network("10.1.0.0/16"),), (ip_network("10.101.0.0/16"),)
KUBEADM = "kind: ClusterConfiguration\nnetworking: {podSubnet: '10.5.0.0/16,fd05::/48', serviceSubnet: 10.105.0.0/16}\n"


def node(name: str, *, gateway: bool = False, ready: str = "True", os: str = "linux", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    labels = {"kubernetes.io/os": os, **({"submariner.io/gateway": "true"} if gateway else {})}
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": f"192.0.2.{len(name)}"}]
    conditions = [{"type": "Ready", "status": ready}]
    status = {"conditions": conditions, "addresses": addresses, "nodeInfo": {"kernelVersion": f"6.{len(name)}"}}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}


def find(seen: Surveyed, *, given: bool = False, name: str = "") -> FoundCluster:
    return find_cluster("prod-1", name, seen, pod_cidrs=PODS if given else (), service_cidrs=SERVICES if given else ())


GATEWAY = node("one", gateway=True)


def test_nodes_are_those_that_can_hold_a_probe() -> None:
    seen = Surveyed(nodes=[GATEWAY, node("two"), node("down", ready="Unknown"), node("glass", os="windows")])
    found = find(seen, given=True)
    assert [(each.name, each.gateway) for each in found.nodes] == [("one", True), ("two", False)]
    assert found.node_addresses["two"] == (ip_address("192.0.2.3"),)
    assert found.kernels == ("6.3",)


def test_a_cluster_without_gateways_is_told_how_to_get_one() -> None:
    with pytest.raises(MissingPrerequisiteError, match=r"label node NODE submariner\.io/gateway=true"):
        find(Surveyed(nodes=[node("one")]), given=True)


def test_what_the_caller_says_counts_before_all_else() -> None:
    found = find(Surveyed(nodes=[GATEWAY], kubeadm=KUBEADM), given=True)
    assert (found.pod_cidrs, found.service_cidrs) == (PODS, SERVICES)


def test_kubeadm_tells_both_ranges() -> None:
    found = find(Surveyed(nodes=[node("one", gateway=True, podCIDRs=["10.9.0.0/24"])], kubeadm=KUBEADM))
    assert found.pod_cidrs == (ip_network("10.5.0.0/16"), ip_network("fd05::/48"))
    assert found.service_cidrs == (ip_network("10.105.0.0/16"),)


@pytest.mark.parametrize("nonsense", ["", "- a list", "networking: {podSubnet: here}", ": {"])
def test_a_configuration_that_says_nothing_is_passed_over(nonsense: str) -> None:
    nodes = [node("one", gateway=True, podCIDRs=["10.9.0.0/24"])]
    service_cidrs = [{"spec": {"cidrs": ["10.96.0.0/12"]}}]
    found = find(Surveyed(nodes=nodes, kubeadm=nonsense, service_cidrs=service_cidrs))
    assert found.pod_cidrs == (ip_network("10.9.0.0/24"),)
    assert found.service_cidrs == (ip_network("10.96.0.0/12"),)


def test_an_installed_member_tells_its_own_ranges_by_its_own_name() -> None:
    members = [
        {
            "spec": {
                "cluster_id": other,
                "cluster_cidr": [f"10.{place}.0.0/16"],
                "service_cidr": [f"10.10{place}.0.0/16"],
            }
        }
        for place, other in enumerate(("prod-2", "prod-1", "east"))
    ]
    assert find(Surveyed(nodes=[GATEWAY], members=members)).pod_cidrs == (ip_network("10.1.0.0/16"),)
    assert find(Surveyed(nodes=[GATEWAY], members=members), name="east").service_cidrs == (ip_network("10.102.0.0/16"),)


def test_slices_of_nodes_are_taken_together() -> None:
    """Those of nodes that are not Ready, too: their pods are the cluster's."""
    nodes = [
        node("one", gateway=True, podCIDRs=["10.9.0.0/24", "fd09::/64"]),
        node("two", podCIDR="10.9.1.0/24"),
        node("gone", ready="False", podCIDRs=["10.9.6.0/24", "fd09:0:0:3::/64"]),
    ]
    found = find_cluster("c", "", Surveyed(nodes=nodes), pod_cidrs=(), service_cidrs=SERVICES)
    assert found.pod_cidrs == (ip_network("10.9.0.0/21"), ip_network("fd09::/62"))


@pytest.mark.parametrize(
    ("pods", "services", "option"), [((), SERVICES, "--pod-cidrs east=CIDR"), (PODS, (), "--service-cidrs east=CIDR")]
)
def test_a_range_that_is_nowhere_is_asked_for(pods: Any, services: Any, option: str) -> None:  # noqa: ANN401 - ranges
    with pytest.raises(MissingPrerequisiteError, match=option):
        find_cluster("prod-1", "east", Surveyed(nodes=[GATEWAY]), pod_cidrs=pods, service_cidrs=services)
