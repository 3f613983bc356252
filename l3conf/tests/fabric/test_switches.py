"""Laws of plans in which LANs and the WAN are switches: the same network, of other parts."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.switches import WAN_ROUTER, lan_key, with_own_switches
from l3conf.model.site import SiteSpec
from l3conf.spec.files import load_topology
from l3conf.tests.fabric.test_plan import path, topologies
from l3conf.tests.fabric.topologies import pair

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import FabricPlan
    from l3conf.model.topology import Topology

FILES = sorted((Path(__file__).parents[3] / "topologies").glob("*.yaml"))


def both(topology: Topology) -> tuple[FabricPlan, FabricPlan]:
    plan = plan_fabric(topology)
    return plan, with_own_switches(plan)


def router_of(key: str) -> str:
    return WAN_ROUTER if key == "wan" else key


@given(topologies)
def test_cables_are_plugged_into_switches_and_into_nothing_else(topology: Topology) -> None:
    _, switched = both(topology)
    switches = {key for key, plan in switched.namespaces.items() if plan.is_switch}
    assert switches == {"wan", *(lan_key(cluster.name) for cluster in topology.clusters)}
    assert switches == {"wan", *switched.lans.values()}
    assert {key for key, plan in switched.namespaces.items() if plan.cables} == switches
    far_ends = {cable.to for key in switches for cable in switched.namespaces[key].cables}
    assert far_ends == {*switched.namespaces} - switches


@given(topologies)
def test_everybody_has_the_links_addresses_routes_and_rules_of_before(topology: Topology) -> None:
    plan, switched = both(topology)
    for key, before in plan.namespaces.items():
        after = switched.namespaces[router_of(key)]
        assert (after.addresses, after.routes, after.ruleset) == (before.addresses, before.routes, before.ruleset)
        assert _links(switched, router_of(key)) == _links(plan, key)
        assert (after.forwarding, after.families) == (before.forwarding, before.families)


def _links(plan: FabricPlan, key: str) -> set[tuple[int, str, bytes, int]]:
    """Return the index, name, MAC and MTU of all links that lead out of a namespace, or are a bridge there."""
    own = {(bridge.index, bridge.name, bridge.mac, bridge.mtu) for bridge in plan.namespaces[key].bridges}
    cables = [cable for each in plan.namespaces.values() for cable in each.cables if cable.to == key]
    return own | {(cable.index, cable.name, cable.mac, cable.mtu) for cable in cables}


@given(topologies)
def test_packets_pass_the_same_machines(topology: Topology) -> None:
    plan, switched = both(topology)
    first, last = (f"{spec.name}@{spec.nodes[0].name}" for spec in (topology.clusters[0], topology.clusters[-1]))
    for target in (*(each.interface.ip for each in plan.namespaces[last].addresses), ip_address("203.0.113.1")):
        for start in (first, "broker", "@outsider"):
            assert path(switched, start, target) == [router_of(hop) for hop in path(plan, start, target)]


@given(topologies)
def test_nothing_on_a_segment_has_another_ones_mac_index_or_name(topology: Topology) -> None:
    _, switched = both(topology)
    for plan in switched.namespaces.values():
        if plan.is_switch:
            macs = [*(cable.mac for cable in plan.cables), *(bridge.mac for bridge in plan.bridges)]
            assert len({*macs}) == len(macs)
            indices = [*(cable.port_index for cable in plan.cables), *(bridge.index for bridge in plan.bridges)]
            assert len({*indices}) == len(indices)
            names = [*(cable.port for cable in plan.cables), *(bridge.name for bridge in plan.bridges)]
            assert len({*names}) == len(names)


def test_rules_about_frames_go_with_the_bridge_and_those_about_packets_stay() -> None:
    topology = pair()
    east = dataclasses.replace(topology.clusters[0], site=SiteSpec(filter_sources=True, filter_icmp_errors=True))
    _, switched = both(dataclasses.replace(topology, clusters=(east, *topology.clusters[1:])))
    rules = {key: plan.rules for key, plan in switched.namespaces.items()}
    assert "table bridge l3conf-cloud" in rules["lan:east"]
    assert "table inet l3conf-icmp-filter" in rules["router:east"]
    assert "table bridge l3conf-faults" in rules["wan"]
    assert "table ip l3conf-wan" in rules[WAN_ROUTER]
    for key, text in rules.items():
        assert not text or ("table bridge" in text) is switched.namespaces[key].is_switch, key


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_faults_find_the_ports_of_all_sites_of_every_topology(file: Path) -> None:
    plan, switched = both(load_topology(file))
    assert switched.wan_ports == plan.wan_ports
    assert {*switched.wan_ports.values()} <= {cable.port for cable in switched.namespaces["wan"].cables}
    for cluster in load_topology(file).clusters:
        for node in cluster.nodes:
            key = f"{cluster.name}@{node.name}"
            assert switched.uplink(cluster.name, key) == plan.uplink(cluster.name, key)
