"""Nodes join the clusters of a running lab and leave them: as Kubernetes sees it, and as packets do."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from l3conf.cli.main import l3conf
from l3conf.errors import LabError, UserError
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.faults import NodeAdded, NodeCrash, NodeRemoved
from l3conf.model.roster import cluster_of
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
PATIENCE = 30.0

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module")
def lab() -> Iterator[EmulatedLab]:
    """Return a lab whose clusters have the plugins ``overlay`` (east) and ``routed`` (west)."""
    running = EmulatedLab.start(dataclasses.replace(load_topology(TOPOLOGIES / "mixed-plugins.yaml"), pods_per_node=1))
    yield running
    running.close()


def kubectl(lab: EmulatedLab, cluster: str, *words: str) -> str:
    argv = ["kubectl", "--kubeconfig", str(lab.clusters[cluster].kubeconfig), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def read(lab: EmulatedLab, cluster: str, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(kubectl(lab, cluster, "get", kind, "-A", "-o", "json"))["items"]
    return items


def node(lab: EmulatedLab, cluster: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in lab.status()["clusters"][cluster]["nodes"] if each["name"] == name)
    return dict(found)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def pings(lab: EmulatedLab, source: str, address: str) -> bool:
    probe = Probe(source=source, destination=ip_address(address), protocol=Protocol.ICMP, timeout=0.3)
    return lab.probe([probe])[0].outcome is Outcome.DELIVERED


def probe_pod(lab: EmulatedLab, cluster: str, on: str) -> dict[str, Any]:
    """Return a probe pod on a node, made now, once it has its address."""
    pod = next(each for each in read(lab, cluster, "pods") if each["metadata"]["namespace"] == "l3conf-probes")
    name = f"probe-{on}"
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "l3conf-probes"},
        "spec": {"nodeName": on, "containers": [{"name": "probe", "image": pod["spec"]["containers"][0]["image"]}]},
    }
    argv = ["kubectl", "--kubeconfig", str(lab.clusters[cluster].kubeconfig), "apply", "-f", "-"]
    subprocess.run(argv, input=json.dumps(manifest), capture_output=True, text=True, check=True)
    kubectl(
        lab, cluster, "wait", "-n", "l3conf-probes", f"pod/{name}", "--for=condition=Ready", f"--timeout={PATIENCE}s"
    )
    (made,) = (each for each in read(lab, cluster, "pods") if each["metadata"]["name"] == name)
    return made


@pytest.mark.parametrize(("cluster", "number"), [("east", 3), ("west", 3)])
def test_a_new_node_registers_and_its_pods_reach_the_others(lab: EmulatedLab, cluster: str, number: int) -> None:
    before = lab.topology
    with lab.fault(NodeAdded(cluster=cluster)):
        name = cluster_of(lab.topology, cluster).nodes[-1].name
        assert name == f"{cluster}-{number + 1}"
        assert eventually(lambda: node(lab, cluster, name)["ready"])
        octet = {"east": 1, "west": 2}[cluster]
        registered = node(lab, cluster, name)
        assert registered["address"] == f"172.16.{octet}.{10 + number}"
        assert registered["podCIDR"] == f"10.{octet}.{number}.0/24"
        address = probe_pod(lab, cluster, name)["status"]["podIP"]
        for other in before.cluster(cluster).nodes:
            assert pings(lab, f"{cluster}@{other.name}", address)
            assert pings(lab, f"{cluster}/l3conf-probes/probe-{other.name}", address)
            assert pings(lab, f"{cluster}/l3conf-probes/probe-{name}", registered["address"])
    assert [each["name"] for each in lab.status()["clusters"][cluster]["nodes"]] == [
        each.name for each in before.cluster(cluster).nodes
    ]
    assert eventually(lambda: not any(pod["spec"]["nodeName"] == name for pod in read(lab, cluster, "pods")))
    assert eventually(lambda: name not in {each["metadata"]["name"] for each in read(lab, cluster, "leases")})
    with pytest.raises(UserError, match="no place"):
        lab.run(f"{cluster}@{name}", ["true"], timeout=PATIENCE)
    number = cluster_of(before, cluster).number_of(f"{cluster}-1")
    with lab.fault(NodeAdded(cluster=cluster)):  # the number of one that went is nobody else's
        assert cluster_of(lab.topology, cluster).nodes[-1].name == f"{cluster}-5"


@pytest.mark.parametrize("cluster", ["east", "west"])
def test_a_node_that_was_removed_is_no_more_and_comes_back_as_a_new_machine(lab: EmulatedLab, cluster: str) -> None:
    name = f"{cluster}-2"
    was, place = node(lab, cluster, name), f"{cluster}@{name}"
    uid = next(each["metadata"]["uid"] for each in read(lab, cluster, "nodes") if each["metadata"]["name"] == name)
    assert lab.run(place, ["ip", "route", "add", "203.0.113.0/24", "dev", "eth0"], timeout=PATIENCE)[0] == 0
    other = f"{cluster}@{cluster}-3"
    with lab.fault(NodeRemoved(cluster=cluster, node=name)):
        assert name not in {each.name for each in lab.topology.cluster(cluster).nodes}
        assert name not in {each["metadata"]["name"] for each in read(lab, cluster, "nodes")}
        assert was["podCIDR"] not in lab.run(other, ["ip", "route"], timeout=PATIENCE)[1]
        assert was["podCIDR"] not in lab.run(f"router:{cluster}", ["ip", "route"], timeout=PATIENCE)[1]
        assert was["address"] not in lab.run(other, ["bridge", "fdb"], timeout=PATIENCE)[1]
        assert not pings(lab, other, was["address"])
    assert eventually(lambda: node(lab, cluster, name) == was)
    assert lab.topology.cluster(cluster).number_of(name) == 1
    found = next(each for each in read(lab, cluster, "nodes") if each["metadata"]["name"] == name)
    assert found["metadata"]["uid"] != uid
    assert "203.0.113.0" not in lab.run(place, ["ip", "route"], timeout=PATIENCE)[1]
    address = probe_pod(lab, cluster, name)["status"]["podIP"]
    assert pings(lab, f"{cluster}/l3conf-probes/probe-{cluster}-3", address)


def test_changes_that_cannot_be_are_refused_and_leave_everything_as_it_was(lab: EmulatedLab) -> None:
    before = lab.status()["clusters"]
    for change, complaint in (
        (NodeAdded(cluster="north"), "no cluster 'north'.*east, west"),
        (NodeAdded(cluster="east", node="east-1"), "a node east-1 already"),
        (NodeRemoved(cluster="east", node="east-99"), "no node 'east-99'"),
    ):
        with pytest.raises(UserError, match=complaint), lab.fault(change):
            pass
    with (
        lab.fault(NodeCrash(cluster="east", node="east-3")),
        pytest.raises(LabError, match="no power"),
        lab.fault(NodeRemoved(cluster="east", node="east-3")),
    ):
        pass
    assert eventually(lambda: lab.status()["clusters"]["east"]["nodes"] == before["east"]["nodes"])


def test_whoever_adds_a_node_and_hangs_up_leaves_none_behind(lab: EmulatedLab) -> None:
    def names() -> list[str]:
        return [each["name"] for each in lab.status()["clusters"]["west"]["nodes"]]

    before = names()
    other = EmulatedLab(lab.topology, lab.state)
    other._call("fault.start", {"fault": {"kind": "node-added", "cluster": "west"}})
    assert len(names()) == len(before) + 1
    other.close()
    assert eventually(lambda: names() == before)


@pytest.fixture(scope="module")
def named() -> Iterator[tuple[str, EmulatedLab]]:
    """Return a lab that commands can name, with the plugin ``bridge``."""
    name = f"nodes-{os.getpid()}"
    topology = dataclasses.replace(load_topology(TOPOLOGIES / "two-clusters.yaml"), pods_per_node=1)
    running = EmulatedLab.start(topology, name=name, background=True)
    yield name, running
    CliRunner().invoke(l3conf, ["lab", "down", name])
    running.close()


def command(name: str, *words: str) -> Result:
    return CliRunner().invoke(l3conf, ["lab", "node", *words, "--lab", name])


def said(name: str, *words: str) -> dict[str, Any]:
    """Return what a command prints as JSON."""
    done = command(name, *words, "--json")
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.output)
    return answer


def test_commands_add_drain_and_remove_nodes_for_good(named: tuple[str, EmulatedLab]) -> None:
    name, lab = named
    added = said(name, "add", "east", "--gateway")
    assert (added["node"], added["addresses"], added["podCIDRs"]) == ("east-4", ["172.16.1.13"], ["10.1.3.0/24"])
    found = next(each for each in read(lab, "east", "nodes") if each["metadata"]["name"] == "east-4")
    assert found["metadata"]["labels"]["submariner.io/gateway"] == "true"
    probe_pod(lab, "east", "east-4")
    drained = said(name, "drain", "east", "east-4")
    assert drained["evicted"] == ["l3conf-probes/probe-east-4"]
    assert not [pod for pod in read(lab, "east", "pods") if pod["spec"]["nodeName"] == "east-4"]
    cordoned = next(each for each in read(lab, "east", "nodes") if each["metadata"]["name"] == "east-4")
    assert cordoned["spec"]["unschedulable"] is True
    said(name, "drain", "east", "east-4", "--undo")
    again = next(each for each in read(lab, "east", "nodes") if each["metadata"]["name"] == "east-4")
    assert "unschedulable" not in again["spec"]
    assert said(name, "remove", "east", "east-4")["addresses"] == added["addresses"]
    assert len(read(lab, "east", "nodes")) == 3
    back = said(name, "add", "east", "east-4")
    assert (back["addresses"], back["podCIDRs"], back["gateway"]) == (added["addresses"], added["podCIDRs"], False)
    said(name, "remove", "east", "east-4")


def test_commands_crash_and_reboot_nodes(named: tuple[str, EmulatedLab]) -> None:
    name, lab = named
    route = ["ip", "route", "add", "203.0.113.0/24", "dev", "eth0"]
    for words in (["reboot", "west", "west-2"], ["crash", "west", "west-2", "--seconds", "0.01"]):
        assert lab.run("west@west-2", route, timeout=PATIENCE)[0] == 0
        done = command(name, *words)
        assert done.exit_code == 0, done.output
        assert "203.0.113.0" not in lab.run("west@west-2", ["ip", "route"], timeout=PATIENCE)[1]


def test_a_drain_waits_for_budgets_and_names_who_stays(named: tuple[str, EmulatedLab]) -> None:
    name, lab = named
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "nobody-goes", "namespace": "l3conf-probes"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"l3conf.io/node": "west-3"}}},
    }
    argv = ["kubectl", "--kubeconfig", str(lab.clusters["west"].kubeconfig), "apply", "-f", "-"]
    subprocess.run(argv, input=json.dumps(budget), capture_output=True, text=True, check=True)
    done = command(name, "drain", "west", "west-3", "--timeout", "0.3")
    assert isinstance(done.exception, LabError)
    assert "l3conf-probes/probe-west-3" in str(done.exception)
    assert "PodDisruptionBudget" in str(done.exception)
    kubectl(lab, "west", "delete", "poddisruptionbudget", "-n", "l3conf-probes", "nobody-goes")
    assert "l3conf-probes/probe-west-3" in said(name, "drain", "west", "west-3")["evicted"]
    said(name, "drain", "west", "west-3", "--undo")


@pytest.mark.parametrize("verb", ["drain", "remove"])
@pytest.mark.parametrize(("cluster", "node", "known"), [("west", "west-9", "west-1"), ("north", "x", "east")])
def test_commands_name_what_there_is(
    named: tuple[str, EmulatedLab], verb: str, cluster: str, node: str, known: str
) -> None:
    done = command(named[0], verb, cluster, node)
    assert isinstance(done.exception, UserError)
    assert known in done.exception.remedy
