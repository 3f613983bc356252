"""What Mininet is told of a cluster set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.switches import with_own_switches
from l3conf.emulator.mininet.network import Network, network_of
from l3conf.spec.files import load_topology
from l3conf.tests.fabric.test_plan import topologies
from l3conf.tests.fabric.topologies import pair

if TYPE_CHECKING:
    from l3conf.model.topology import Topology

FILES = sorted((Path(__file__).parents[3] / "topologies").glob("*.yaml"))


def network(topology: Topology) -> Network:
    return network_of(with_own_switches(plan_fabric(topology)))


def test_a_pair_of_clusters_is_three_switches_and_their_hosts() -> None:
    found = network(pair(nodes=1))
    assert [plan.key for plan in found.switches] == ["wan", "lan:east", "lan:west"]
    assert {(wire.switch, wire.cable.port, wire.host, wire.cable.name) for wire in found.wires} == {
        ("wan", "router", "wan-router", "wan"),
        ("wan", "broker", "broker", "eth0"),
        ("wan", "outsider", "@outsider", "eth0"),
        *(("wan", f"site{number}", f"router:{name}", "wan") for number, name in enumerate(("east", "west"))),
        *(("lan:" + name, "router", f"router:{name}", "lan") for name in ("east", "west")),
        *(("lan:" + name, "control-plane", f"control-plane:{name}", "eth0") for name in ("east", "west")),
        *(("lan:" + name, "node0", f"{name}@{name}-1", "eth0") for name in ("east", "west")),
    }


@given(topologies)
def test_every_link_joins_a_switch_and_a_host_and_no_interface_is_used_twice(topology: Topology) -> None:
    found = network(topology)
    hosts, switches = ({plan.key for plan in plans} for plans in (found.hosts, found.switches))
    assert not hosts & switches
    assert {wire.switch for wire in found.wires} == switches
    assert {wire.host for wire in found.wires} == hosts
    assert len({(wire.host, wire.host_port) for wire in found.wires}) == len(found.wires)
    assert len(found.wires) == len(hosts | switches) - 1, "a tree"


@given(topologies)
def test_the_default_interface_of_a_host_is_the_one_with_its_way_out(topology: Topology) -> None:
    for wire in network(topology).wires:
        assert wire.host_port >= 0
        assert (wire.host_port == 0) == (wire.cable.name in {"eth0", "wan"})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_topology_file_has_a_network_whose_names_fit_the_kernel(file: Path) -> None:
    for wire in network(load_topology(file)).wires:
        assert len(wire.cable.port) <= 15
        assert len(wire.cable.name) <= 15
