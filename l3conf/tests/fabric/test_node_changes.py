"""Nodes come to a fabric and go from it: whoever stays knows those that there are, and nothing of any other."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.errors import LabError
from l3conf.model.roster import with_node, without_node
from l3conf.model.site import SiteSpec
from l3conf.model.topology import IPFamily, NetworkPlugin, NodeSpec
from l3conf.probes.node_state import diff_states
from l3conf.probes.node_state.__main__ import node_state
from l3conf.probes.node_state.kernel_made import is_made_by_kernel
from l3conf.tests.fabric.topologies import one_inside_the_other, pair, six_only
from l3conf.tests.fabric.udp import arrives, seen_as
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import Topology
    from l3conf.probes.node_state import State

GROUNDS = [
    *(pytest.param(pair(dual=True, plugin=plugin), id=plugin.value) for plugin in NetworkPlugin),
    *(pytest.param(six_only(plugin), id=f"{plugin.value}-v6") for plugin in NetworkPlugin),
    *(pytest.param(one_inside_the_other(lan_family=family), id=f"inside-{family.value}") for family in IPFamily),
]
NFT, IP = (shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or name for name in ("nft", "ip"))


def grown(topology: Topology) -> Topology:
    return with_node(topology, "east", NodeSpec(name=""), departed={})


def configurations(fabric: Fabric) -> dict[str, State]:
    """Return what the fabric configured in the cluster that changes, on its router and at those who route to it."""
    found = {}
    for key in fabric.plan.namespaces:
        if key in {"wan", "@outsider", "broker", "router:west"} or "east" in key:
            with fabric.namespace(key).entered():
                found[key] = {path: value for path, value in node_state().items() if is_configured(path, value)}
    return found


def is_configured(path: str, value: str) -> bool:
    """Say whether an entry of a state is there because of the fabric.

    File names are the whole machine's. Routes that the kernel derives from addresses and links come a moment after
    these, and so do link-local addresses, of MACs that it draws for the router's ends of cables.
    """
    derived = path.startswith("route/") and "protocol kernel" in value
    return not (path.startswith("file/") or derived or "fe80:" in path)


def differences(before: Mapping[str, State], after: Mapping[str, State]) -> list[str]:
    """Return one line for whatever is not as it was, with its namespace, modules apart that the kernel loaded."""
    return [
        f"{key}: {difference}"
        for key in sorted({*before, *after})
        for difference in diff_states(before.get(key, {}), after.get(key, {}))
        if not is_made_by_kernel(difference.path, difference.before, difference.after)
    ]


@pytest.mark.parametrize("topology", GROUNDS)
@sandboxed
def test_pods_of_a_new_node_reach_all_others_as_themselves(topology: Topology) -> None:
    with Fabric.build(topology) as fabric:
        near, own = fabric.add_pod("east", "east-1", "a")
        fabric.change_nodes(grown(topology))
        new, addresses = fabric.add_pod("east", "east-3", "new")
        for here, there in zip(own, addresses, strict=True):
            assert seen_as(near, new, there) == str(here)
            assert seen_as(new, near, here) == str(there)


@pytest.mark.parametrize("topology", GROUNDS)
@sandboxed
def test_nobody_keeps_anything_of_a_node_that_went(topology: Topology) -> None:
    """Routers, other nodes and other sites are configured as they were before it came."""
    with Fabric.build(topology) as fabric:
        before = configurations(fabric)
        fabric.change_nodes(grown(topology))
        assert {line.partition(":")[0] for line in differences(before, configurations(fabric))} > {"east@east-3"}
        fabric.add_pod("east", "east-3", "new")
        fabric.unplug_node("east", "east-3")
        fabric.change_nodes(topology)
        assert differences(before, configurations(fabric)) == []
        with pytest.raises(LabError, match="east-3"):
            fabric.namespace("east@east-3")
        with pytest.raises(LabError, match="east-3"):
            fabric.add_pod("east", "east-3", "other")


@pytest.mark.parametrize("topology", GROUNDS)
@sandboxed
def test_a_node_that_comes_back_is_wired_as_it_was(topology: Topology) -> None:
    with Fabric.build(topology) as fabric:
        before = configurations(fabric)
        fabric.unplug_node("east", "east-1")
        fabric.change_nodes(without_node(topology, "east", "east-1"))
        fabric.change_nodes(topology)
        assert differences(before, configurations(fabric)) == []
        (one, own), (two, beside) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b")]
        )
        assert [seen_as(one, two, address) for address in beside] == list(map(str, own))


@pytest.mark.parametrize("plugin", [NetworkPlugin.ROUTED, NetworkPlugin.OVERLAY], ids=lambda plugin: plugin.value)
@sandboxed
def test_what_somebody_took_away_before_keeps_nothing_else_from_going(plugin: NetworkPlugin) -> None:
    topology = pair(nodes=3, plugin=plugin)
    with Fabric.build(topology) as fabric:
        with fabric.namespace("east@east-1").entered():
            subprocess.run([IP, "route", "del", "10.1.2.0/24"], check=True)
        fabric.unplug_node("east", "east-3")
        fabric.change_nodes(without_node(topology, "east", "east-3"))
        for key in ("east@east-1", "east@east-2", "router:east"):
            with fabric.namespace(key).entered():
                said = json.dumps(node_state())
            assert "10.1.2." not in said
            assert "172.16.1.12" not in said


@sandboxed
def test_a_node_without_power_boots_with_what_came_meanwhile() -> None:
    topology = pair()
    with Fabric.build(topology) as fabric:
        fabric.unplug_node("east", "east-2")
        fabric.change_nodes(grown(topology))
        fabric.boot_node("east", "east-2")
        (old, own), (new, there) = fabric.add_pods(
            [PodRequest("east", "east-2", "a"), PodRequest("east", "east-3", "b")]
        )
        assert seen_as(old, new, there[0]) == str(own[0])


@sandboxed
def test_a_cloud_that_filters_sources_knows_a_new_node_and_forgets_it() -> None:
    both = pair()
    filtering = [dataclasses.replace(spec, site=SiteSpec(filter_sources=True)) for spec in both.clusters]
    topology = dataclasses.replace(both, clusters=tuple(filtering))
    with Fabric.build(topology) as fabric:
        fabric.change_nodes(grown(topology))
        old, addresses = fabric.add_pod("east", "east-1", "a")
        new, _ = fabric.add_pod("east", "east-3", "b")
        assert arrives(new, old, addresses[0])
        with fabric.namespace(fabric.plan.lans["east"]).entered():
            words = [NFT, "list", "table", "bridge", "l3conf-cloud"]
            listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert listed.count('iifname "node2"') == 1
        assert listed.count('iifname "node0"') == 1


def test_a_fabric_is_planned_alike_whatever_came_and_went_before() -> None:
    topology = pair(nodes=3, dual=True)
    left = without_node(grown(without_node(topology, "east", "east-2")), "east", "east-4")
    again = with_node(left, "east", NodeSpec(name="east-2"), departed={"east-2": 1})
    assert plan_fabric(again) == plan_fabric(topology)
