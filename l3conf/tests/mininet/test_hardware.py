"""A fabric made by Mininet carries packets, suffers faults, and changes as any other."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from l3conf.capture.pcap import read_pcap
from l3conf.capture.session import Capture
from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.inflict import Faults
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.model.faults import Delay, LinkDown
from l3conf.model.site import NATKind, SiteSpec
from l3conf.model.topology import NetworkPlugin, Topology
from l3conf.tests.fabric.test_node_changes import IP, configurations, differences, grown
from l3conf.tests.fabric.topologies import pair
from l3conf.tests.fabric.udp import arrives, is_dropped, seen_as
from l3conf.tests.mininet.needs import mininet_hardware, needs_mininet
from l3conf.tests.sandbox import sandboxed

pytestmark = needs_mininet

EAST, WEST = IPv4Address("172.16.1.10"), IPv4Address("172.16.2.10")
BROKER = IPv4Address("192.0.2.2")


def build(topology: Topology) -> Fabric:
    return Fabric.build(topology, mininet_hardware())


def with_site(topology: Topology, site: SiteSpec) -> Topology:
    east, *others = topology.clusters
    return dataclasses.replace(topology, clusters=(dataclasses.replace(east, site=site), *others))


def shells() -> list[tuple[str, int]]:
    """Return Mininet's nodes as their shells in this pid namespace tell: name, and inode of the network namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        name = (process / "cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
        if name.startswith("mininet:"):
            found.append((name.removeprefix("mininet:"), (process / "ns/net").stat().st_ino))
    return found


@pytest.mark.parametrize("plugin", list(NetworkPlugin), ids=lambda plugin: plugin.value)
@sandboxed
def test_pods_reach_pods_and_nodes_other_sites(plugin: NetworkPlugin) -> None:
    with build(pair(dual=True, plugin=plugin)) as fabric:
        (one, own), (two, there) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b")]
        )
        for here, beside in zip(own, there, strict=True):
            assert seen_as(one, two, beside) == str(here)
        assert seen_as(one, fabric.namespace("broker"), BROKER) == str(EAST)
        assert seen_as(fabric.namespace("west@west-1"), fabric.namespace("east@east-1"), EAST) == str(WEST)


@sandboxed
def test_hosts_switches_and_links_are_mininets_own() -> None:
    """Every place is a shell of Mininet in the namespace that the fabric uses, and ends with it."""
    topology = pair()
    with build(topology) as fabric:
        places = [(key, os.fstat(fabric.namespace(key).fd).st_ino) for key in fabric.plan.namespaces]
        assert sorted(shells()) == sorted(places)
        with fabric.namespace("lan:east").entered():
            words = [IP, "-brief", "link", "show", "master", "lan"]
            ports = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
        planned = {cable.port for cable in fabric.plan.namespaces["lan:east"].cables}
        assert {line.partition("@")[0] for line in ports} == planned
    assert shells() == []


@sandboxed
def test_faults_of_paths_and_links_are_felt_and_end() -> None:
    async def inflict(fabric: Fabric) -> None:
        east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        fabric.cut("east", "west")
        assert await asyncio.to_thread(is_dropped, east, west, WEST)
        fabric.heal("east", "west")
        for fault in (Delay(source="east", destination="west", seconds=0.01), LinkDown(cluster="east", node="east-2")):
            end = await Faults(fabric).begin(fault)
            assert await asyncio.to_thread(arrives, east, west, WEST)
            await end()
        assert await asyncio.to_thread(arrives, fabric.namespace("east@east-2"), west, WEST)

    with build(pair()) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
def test_a_capture_on_the_wan_sees_what_passes_between_sites(tmp_path: Path) -> None:
    with build(pair()) as fabric:
        capture = Capture(fabric.namespace("wan"), "wan", tmp_path / "wan.pcap")
        capture.start()
        assert seen_as(fabric.namespace("east@east-1"), fabric.namespace("west@west-1"), WEST) == str(EAST)
        capture.stop()
        with (tmp_path / "wan.pcap").open("rb") as file:
            assert any(EAST.packed + WEST.packed in packet.data for packet in read_pcap(file))


@sandboxed
def test_nats_hide_sites_and_clouds_filter_sources() -> None:
    with build(with_site(pair(), SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))) as fabric:
        assert seen_as(fabric.namespace("east@east-1"), fabric.namespace("broker"), BROKER) == "192.0.2.10"
    with build(with_site(pair(), SiteSpec(filter_sources=True))) as fabric:
        fabric.change_nodes(grown(fabric.topology))
        old, [own] = fabric.add_pod("east", "east-1", "a")
        new, _ = fabric.add_pod("east", "east-3", "b")
        assert arrives(new, old, own)


@sandboxed
def test_nodes_come_go_lose_power_and_boot() -> None:
    topology = pair()
    with build(topology) as fabric:
        before = configurations(fabric)
        fabric.change_nodes(grown(topology))
        fabric.unplug_node("east", "east-2")
        fabric.boot_node("east", "east-2")
        (old, own), (new, there) = fabric.add_pods(
            [PodRequest("east", "east-2", "a"), PodRequest("east", "east-3", "b")]
        )
        assert seen_as(old, new, there[0]) == str(own[0])
        fabric.remove_pod("a")
        fabric.unplug_node("east", "east-3")
        fabric.change_nodes(topology)
        names = [name for name, _ in shells()]
        assert sorted(names) == sorted(fabric.plan.namespaces), "each once, and none of who went"
        changed = {line.partition(":")[0] for line in differences(before, configurations(fabric))}
        assert changed <= {"east@east-2"}, "a pod was there"


@sandboxed
def test_what_mininet_cannot_do_is_said_with_its_own_words() -> None:
    with build(pair()) as fabric:
        with fabric.namespace("lan:east").entered():
            subprocess.run([IP, "link", "add", "node2", "type", "bridge"], check=True)
        with pytest.raises(LabError, match=r"lan:east: Mininet could not do ip link add name node2 .*File exists"):
            fabric.change_nodes(grown(fabric.topology))


@sandboxed
def test_a_host_where_mnexec_makes_no_namespace_is_refused(tmp_path: Path) -> None:
    """Mininet itself would wait for ever for a shell that never starts."""
    broken = tmp_path / "mnexec"
    broken.write_text("#!/bin/sh\necho mount: Operation not permitted >&2\nexit 1\n")
    broken.chmod(0o755)
    os.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    with pytest.raises(MissingPrerequisiteError, match="mnexec can make no namespace here: mount: Operation not perm"):
        build(pair())


@sandboxed
def test_programs_that_are_not_there_are_named_with_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mininet_hardware().close()
    from l3conf.emulator.mininet import hardware  # noqa: PLC0415 - tests without Mininet go on

    for program in ("mnexec", "ifconfig", "bash", "ip"):
        (tmp_path / program).symlink_to(shutil.which(program) or program)
    os.environ["PATH"] = str(tmp_path)
    monkeypatch.setattr(hardware, "_SYSTEM_DIRECTORIES", ())
    with pytest.raises(MissingPrerequisiteError, match=r"no brctl on this host .*apt-get install bridge-utils"):
        hardware.check_mininet()
