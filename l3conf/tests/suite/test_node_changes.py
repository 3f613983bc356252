"""Nodes that come and go, on paper: what is known of them, and what of it names them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError
from l3conf.labs.fake import FakeLab
from l3conf.model.faults import NodeAdded, NodeRemoved
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Probe
from l3conf.plugin.node_changes import Leaver
from l3conf.spec.files import load_topology
from l3conf.tests.suite.conftest import SlowMotion
from l3conf.tests.suite.paper_lab import paper_lab

if TYPE_CHECKING:
    from l3conf.plugin.lab import Lab

TOPOLOGY = load_topology(Path(__file__).parents[3] / "topologies" / "two-clusters.yaml")
POOLS: Any = {"east": ip_network("100.64.1.0/28"), "west": ip_network("100.64.2.0/28")}
LEAVER = Leaver(cluster="east", node="east-3", ranges=(ip_network("172.16.1.12/32"), ip_network("10.1.2.0/24")))


@pytest.fixture
def lab() -> Lab:
    return paper_lab(TOPOLOGY, POOLS, SlowMotion())


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        ({"metadata": {"name": "east-3"}}, True),
        ({"metadata": {"name": "east-31"}}, False),
        ({"spec": {"hostname": "east-3"}}, True),
        ({"spec": {"private_ip": "172.16.1.12"}}, True),
        ({"spec": {"private_ip": "172.16.1.120"}}, False),
        ({"spec": {"subnets": ["10.1.2.0/24"]}}, True),
        ({"spec": {"subnets": ["10.1.0.0/16"]}}, False),
        ({"status": {"remoteEndpoints": [{"spec": {"hostname": "east-1", "private_ip": "172.16.1.10"}}]}}, False),
    ],
)
def test_a_node_is_named_by_its_name_or_an_address_of_its_own(said: dict[str, Any], is_named: bool) -> None:  # noqa: FBT001
    assert bool(LEAVER.names(said)) == is_named


def test_those_who_leave_are_the_last_that_hold_no_cable(lab: Lab) -> None:
    leavers = lab.leavers("east", "west")
    assert [(one.cluster, one.node) for one in leavers.nodes] == [("east", "east-3"), ("west", "west-3")]
    assert leavers.nodes[0] == LEAVER
    pairs = leavers.others(IPFamily.IPV4)
    assert len(pairs) == 8
    assert not {pod.site.node for pair in pairs for pod in pair} & {"east-3", "west-3"}


def test_a_cluster_of_gateway_nodes_has_nobody_to_lose() -> None:
    only_gateways = replace(TOPOLOGY.clusters[0], nodes=TOPOLOGY.clusters[0].nodes[:1])
    topology = replace(TOPOLOGY, clusters=(only_gateways, TOPOLOGY.clusters[1]))
    with pytest.raises(LabError, match="all are gateway nodes"):
        paper_lab(topology, POOLS, SlowMotion()).leavers("east")


def test_what_names_a_leaver_counts_where_it_stays_and_was_not_there_before(lab: Lab) -> None:
    ground: Any = lab.ground
    mine, old = {"fdb/vx/02:55 dst": "172.16.1.12"}, {"route/254/10.1.2.0/24 dev eth0": "via 172.16.1.12"}
    ground.states = {("east", "east-1"): old, ("east", "east-2"): {}}
    lab.before = replace(lab.before, nodes=lab.node_states())
    leavers = lab.leavers("east")
    assert leavers.still_named() == []
    ground.states["east", "east-1"] = old | mine
    ground.states["east", "east-3"] = mine
    assert leavers.still_named() == ['east@east-1: fdb/vx/02:55 dst = "172.16.1.12"']


def test_a_fake_lab_gains_and_loses_nodes_as_the_others_do() -> None:
    lab = FakeLab(TOPOLOGY)
    with lab.fault(NodeAdded(cluster="east")), lab.fault(NodeRemoved(cluster="west", node="west-2")):
        assert [node.name for node in lab.topology.cluster("east").nodes][-1] == "east-4"
        assert "west@west-2" not in lab.hosts
        new, there = "east/l3conf-probes/probe-east-4", lab.hosts["west@west-1"].addresses[0]
        [seen] = lab.probe([Probe(source=new, destination=there, port=7100)])
        assert seen.outcome is Outcome.DELIVERED
    assert lab.topology == TOPOLOGY
    assert "east@east-4" not in lab.hosts
