"""The emulated lab as its users meet it: whole, from outside, with real processes and packets."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.capture.pcap import read_pcap
from l3conf.errors import LabError, LabGoneError, UserError
from l3conf.labs.emulated import EmulatedLab
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.plugin.network_policies import only_from
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.topology import Topology

TOPOLOGY_FILE = Path(__file__).parents[3] / "topologies" / "two-clusters.yaml"
OUTSIDER = ip_address("192.0.2.3")
PATIENCE = 30.0

pytestmark = pytest.mark.xdist_group("emulated-lab")


def topology() -> Topology:
    return dataclasses.replace(load_topology(TOPOLOGY_FILE), pods_per_node=1)


@pytest.fixture(scope="module")
def lab() -> Iterator[EmulatedLab]:
    running = EmulatedLab.start(topology())
    yield running
    running.close()


def pod(cluster: str, node: int) -> str:
    return f"{cluster}/l3conf-probes/probe-{cluster}-{node}"


def address_of(lab: EmulatedLab, place: str) -> str:
    cluster, namespace, name = place.split("/")
    pods = lab.status()["clusters"][cluster]["pods"]
    return str(next(p["address"] for p in pods if (p["namespace"], p["name"]) == (namespace, name)))


def test_a_network_policy_isolates_pods_for_as_long_as_it_is_there(lab: EmulatedLab) -> None:
    target = ip_address(address_of(lab, pod("east", 1)))
    probe = Probe(source=pod("east", 2), destination=target, port=7100, protocol=Protocol.TCP, timeout=0.3)

    def ends_in(outcome: Outcome) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            [seen] = lab.probe([probe])
            if seen.outcome is outcome:
                return True
        return False

    assert ends_in(Outcome.DELIVERED)
    with contextlib.closing(ClusterAPI("east", lab.clusters["east"].kubeconfig, timeout=PATIENCE)) as api:
        with only_from(api, [ip_network("10.2.0.0/16")]):
            assert ends_in(Outcome.TIMEOUT)
        assert ends_in(Outcome.DELIVERED)


def test_pods_of_a_cluster_reach_each_other_under_their_own_addresses(lab: EmulatedLab) -> None:
    places = [pod("east", number) for number in (1, 2, 3)]
    addresses = {place: ip_address(address_of(lab, place)) for place in places}
    probes = [
        Probe(source=source, destination=addresses[target], port=7100, protocol=protocol)
        for source in places
        for target in places
        for protocol in (Protocol.UDP, Protocol.TCP)
    ]
    for observation in lab.probe(probes):
        assert observation.outcome is Outcome.DELIVERED, observation
        assert observation.seen_as == addresses[observation.probe.source]


def test_the_plugin_masquerades_what_leaves_the_pod_range(lab: EmulatedLab) -> None:
    [observation] = lab.probe([Probe(source=pod("east", 2), destination=OUTSIDER, port=7100)])
    assert (observation.outcome, str(observation.seen_as)) == (Outcome.DELIVERED, "172.16.1.11")


def test_clusters_are_not_connected_by_the_lab_itself(lab: EmulatedLab) -> None:
    target = ip_address(address_of(lab, pod("west", 1)))
    [observation] = lab.probe([Probe(source=pod("east", 1), destination=target, port=7100)])
    assert observation.outcome is Outcome.UNREACHABLE


def test_a_cut_drops_one_direction_until_it_is_healed(lab: EmulatedLab) -> None:
    there = Probe(source="east@east-1", destination=ip_address("172.16.2.10"), port=7100, timeout=2)
    with lab.cut("west", "east"):
        [observation] = lab.probe([there])
        assert observation.outcome is Outcome.TIMEOUT
        assert lab.sightings("west@west-1", [observation.nonce]), "the other direction was cut as well"
    [observation] = lab.probe([dataclasses.replace(there, timeout=PATIENCE)])
    assert observation.outcome is Outcome.DELIVERED


def test_a_cut_of_an_unknown_site_names_the_sites(lab: EmulatedLab) -> None:
    with pytest.raises(LabError, match=r"'south'.*east"), lab.cut("south", "east"):
        pass


def test_a_capture_holds_exactly_what_passed(lab: EmulatedLab) -> None:
    with lab.capture("wan") as file:
        code, _out, _err = lab.run("east@east-1", ["ping", "-c3", "-i0.05", str(OUTSIDER)], timeout=PATIENCE)
    assert code == 0
    with file.open("rb") as stream:
        packets = [frame.data for frame in read_pcap(stream)]
    echoes = [packet for packet in packets if packet[12:14] == b"\x08\x00" and packet[23] == 1]
    assert len(echoes) == 6


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark, the independent reader, is not installed")
def test_a_capture_is_read_by_tshark(lab: EmulatedLab) -> None:
    with lab.capture(pod("east", 1)) as file:
        lab.probe([Probe(source=pod("east", 1), destination=OUTSIDER, port=7100)])
    shown = subprocess.run(
        [str(shutil.which("tshark")), "-r", str(file), "-Y", "udp.dstport==7100", "-T", "fields", "-e", "ip.dst"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [str(OUTSIDER)]


def test_a_command_that_outlives_its_time_is_ended(lab: EmulatedLab) -> None:
    code, out, _err = lab.run("east@east-1", ["sh", "-c", "echo begun; sleep 60"], timeout=3)
    assert (code, out) == (124, "begun\n")


def test_commands_that_last_hold_nobody_up(lab: EmulatedLab) -> None:
    """Each once took two of the lab's few threads, and kube-proxy waited for one."""
    clients = [EmulatedLab(lab.topology, lab.state) for _ in range(8)]
    with ThreadPoolExecutor(len(clients)) as many:
        lasting = [many.submit(one.run, "east@east-1", ["sleep", "5"], timeout=PATIENCE) for one in clients]
        answer = lab.run("east@east-1", ["echo", "at once"], timeout=PATIENCE)
        held_up = any(one.done() for one in lasting)
    for one in clients:
        one._control.close()
    assert answer == (0, "at once\n", "")
    assert not held_up


def test_commands_at_a_place_see_that_places_network(lab: EmulatedLab) -> None:
    _code, out, _err = lab.run(pod("west", 3), ["ip", "-j", "address", "show", "eth0"], timeout=PATIENCE)
    assert json.loads(out)[0]["addr_info"][0]["local"] == address_of(lab, pod("west", 3))


@pytest.mark.parametrize("place", ["east@no-node", "east/l3conf-probes/no-pod", "north/a/b", "nonsense"])
def test_an_unknown_place_is_the_users_mistake(lab: EmulatedLab, place: str) -> None:
    with pytest.raises(UserError, match="no"):
        lab.run(place, ["true"], timeout=PATIENCE)


def test_an_unknown_program_is_the_users_mistake(lab: EmulatedLab) -> None:
    with pytest.raises(UserError, match="no program 'no-such-program'"):
        lab.run("east@east-1", ["no-such-program"], timeout=PATIENCE)


def test_names_resolve_in_pods(lab: EmulatedLab) -> None:
    script = (
        "from socket import gethostbyname as resolve; "
        "print(resolve('probe.l3conf-probes.svc.cluster.local'), resolve('kubernetes.default'))"
    )
    code, out, err = lab.run(pod("east", 1), [sys.executable, "-c", script], timeout=PATIENCE)
    assert code == 0, err
    service, kubernetes = out.split()
    assert service.startswith("10.101.")
    assert kubernetes == "10.101.0.1"


def test_tokens_are_for_their_owner_and_never_on_disk(lab: EmulatedLab) -> None:
    kubeconfig = lab.clusters["east"].kubeconfig
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert str(kubeconfig).startswith("/proc/")


def test_a_pod_cannot_write_to_the_host(lab: EmulatedLab, tmp_path: Path) -> None:
    for target in (tmp_path / "mark", Path(sys.prefix) / "mark"):
        lab.run("east@east-1", ["touch", str(target)], timeout=PATIENCE)
        assert not target.exists()


def processes_of(lab: EmulatedLab) -> list[int]:
    """Return supervisor, gate and emulator."""
    pids = [lab.emulator_pid]
    for _ in range(2):
        stat_line = Path(f"/proc/{pids[-1]}/stat").read_text()
        pids.append(int(stat_line.rpartition(")")[2].split()[1]))
    return pids


@pytest.mark.parametrize("victim", [0, 1, 2], ids=["emulator", "gate", "supervisor"])
def test_a_lab_vanishes_whole_whichever_of_its_processes_is_killed(victim: int) -> None:
    lab = EmulatedLab.start(topology())
    try:
        pids = processes_of(lab)
        inside = children_of(pids[0])
        assert inside
        os.kill(pids[victim], signal.SIGKILL)
        wait_until_gone(pids[0], *inside)
        with pytest.raises(LabGoneError):
            lab.status()
        assert not lab.state.exists()
    finally:
        lab.close()


def test_a_lab_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from l3conf.labs.emulated import EmulatedLab; "
        "from l3conf.spec.files import load_topology; lab = EmulatedLab.start(load_topology(Path(sys.argv[1]))); "
        "print(lab.emulator_pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(TOPOLOGY_FILE)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as starter:
        assert starter.stdout is not None
        emulator = int(starter.stdout.readline())
        starter.kill()
    wait_until_gone(emulator)


def test_closing_twice_is_closing_once() -> None:
    lab = EmulatedLab.start(topology())
    lab.close()
    lab.close()


def test_the_hosts_own_network_stays_as_it_was() -> None:
    before = host_network()
    EmulatedLab.start(topology()).close()
    assert host_network() == before


def host_network() -> str:
    commands = (
        ["ip", "-o", "link"],
        ["ip", "rule"],
        ["ip", "route", "show", "table", "all"],
        ["nft", "list", "ruleset"],
    )
    return "".join(subprocess.run(c, capture_output=True, text=True, check=False).stdout for c in commands)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + PATIENCE
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            while time.monotonic() < deadline:
                try:
                    signal.pidfd_send_signal(descriptor, 0)
                except ProcessLookupError:
                    break
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    break
                time.sleep(0.01)
            else:
                pytest.fail(f"process {pid} still runs")
        finally:
            os.close(descriptor)
