"""Nodes that crash, come and go on a ground of stubs."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from l3conf.errors import LabError
from l3conf.labs.kind.machines import join_config
from l3conf.model.faults import (
    NodeAdded,
    NodeCrash,
    NodeRemoved,
)
from l3conf.tests.kind.faulty import KUBEADM, scripts

if TYPE_CHECKING:
    from l3conf.labs.kind.ground import Ground
    from l3conf.labs.kind.inflict import Faults
    from l3conf.tests.kind.conftest import Bench


def test_a_node_crashes_and_boots_with_its_addresses(bench: Bench, ground: Ground, faults: Faults) -> None:
    node = ground.names.node("east", 1)
    before = dict(bench.engine.containers[node].networks[ground.names.cluster("east")])
    with faults.in_force(NodeCrash(cluster="east", node=node)):
        crashed = bench.engine.containers[node]
        assert not crashed.running
        assert crashed.networks == {}
        # Meanwhile somebody else may get the address, if it is not asked for again.
    assert bench.engine.containers[node].running
    after = bench.engine.containers[node].networks[ground.names.cluster("east")]
    assert after["IPAddress"] == before["IPAddress"]
    assert scripts(bench, node)[-1].endswith("ip route replace default via 172.16.1.1\n")


def test_a_node_comes_as_kind_would_have_made_it_and_goes(bench: Bench, ground: Ground, faults: Faults) -> None:
    with faults.in_force(NodeAdded(cluster="east", gateway=True)):
        (added,) = {node.name for node in faults.machines.topology.cluster("east").nodes} - {
            ground.names.node("east", place) for place in range(2)
        }
        made = bench.engine.containers[added]
        assert made.labels["io.x-k8s.kind.cluster"] == ground.names.cluster("east"), "so it is removed with the others"
        assert made.config["HostConfig"]["Privileged"]
        assert made.networks[ground.names.cluster("east")]["IPAddress"] == "172.16.1.128"
        assert bench.calls()[-1].endswith(f"--nodes {added}"), "it has the images, too"
        (joining,) = [script for script in scripts(bench, added) if "kubeadm join" in script]
        config = yaml.safe_load(joining.split("<<'END'\n")[1].split("END\n")[0])
        assert config["discovery"]["bootstrapToken"]["token"] == "q1w2e3.q1w2e3r4t5y6u7i8"
        assert config["nodeRegistration"]["name"] == added
        assert config["nodeRegistration"]["kubeletExtraArgs"] == {
            "node-ip": "172.16.1.128",
            "provider-id": f"kind://docker/{ground.names.cluster('east')}/{added}",
            "node-labels": "submariner.io/gateway=true",
            "v": "2",
        }
        assert config["skipPhases"] == ["preflight"]
    assert added not in bench.engine.containers
    assert bench.apis.deleted == [f"{ground.names.cluster('east')}/api/v1/nodes/{added}"]
    assert len(faults.machines.topology.cluster("east").nodes) == 2


def test_a_node_that_went_comes_back_as_a_new_machine(bench: Bench, ground: Ground, faults: Faults) -> None:
    node = ground.names.node("east", 1)
    before = bench.engine.containers[node]
    with faults.in_force(NodeRemoved(cluster="east", node=node)):
        assert node not in bench.engine.containers
        assert node not in {each.name for each in faults.machines.topology.cluster("east").nodes}
    after = bench.engine.containers[node]
    assert after.id != before.id
    network = ground.names.cluster("east")
    assert after.networks[network]["IPAddress"] in {str(a) for a in ground.members["east"].addresses[node]}
    assert node in {each.name for each in faults.machines.topology.cluster("east").nodes}


def test_a_node_that_does_not_join_is_taken_away_again(bench: Bench, faults: Faults) -> None:
    answer = bench.engine.on_exec
    bench.engine.on_exec = lambda command: (
        (1, "", "error execution phase") if "kubeadm join" in command.script else answer(command)
    )
    before = set(bench.engine.containers)
    with pytest.raises(LabError, match="error execution phase"), faults.in_force(NodeAdded(cluster="east")):
        pass
    assert set(bench.engine.containers) == before
    assert len(faults.machines.topology.cluster("east").nodes) == 2


def test_joining_is_configured_for_both_versions_of_kubeadms_file() -> None:
    listed = KUBEADM.replace("v1beta3", "v1beta4").replace(
        'kubeletExtraArgs: {node-ip: 172.16.1.65, provider-id: kind://docker/east/w, node-labels: "", v: "2"}',
        'kubeletExtraArgs: [{name: node-ip, value: 172.16.1.65}, {name: v, value: "2"}]',
    )
    more: dict[str, Any] = {"name": "n", "provider": "kind://docker/c/n", "token": "t", "labels": {}}
    made = yaml.safe_load(join_config(listed, addresses=[ip_address("172.16.1.128"), ip_address("fd01:1::80")], **more))
    arguments = {each["name"]: each["value"] for each in made["nodeRegistration"]["kubeletExtraArgs"]}
    assert arguments == {
        "v": "2",
        "node-ip": "172.16.1.128,fd01:1::80",
        "provider-id": "kind://docker/c/n",
        "node-labels": "",
    }
    with pytest.raises(LabError, match="no JoinConfiguration with a token"):
        join_config("kind: ClusterConfiguration\n", addresses=[], **more)
