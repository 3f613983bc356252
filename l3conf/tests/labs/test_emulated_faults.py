"""Hostile labs come up whole, and their faults, begun from outside, end with whoever began them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from l3conf.capture.replay import captured_packets
from l3conf.cli.main import l3conf
from l3conf.errors import LabError, UserError
from l3conf.labs.base import Capability, Lab
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.api_faults import APIRefused, APISlow
from l3conf.model.faults import Cut, Delay, Fault, LinkDown, Loss, NATRebinding, NATReboot, NodeAddressChange, NodeCrash
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.probes.wire import PORT
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.topology import IPAddress

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
NAMES = (
    "nat-both-static",
    "nat-symmetric",
    "shared-address",
    "small-mtu",
    "filtered-cloud",
    "chain-of-three",
    "twelve-clusters",
)
OUTSIDER = ip_address("192.0.2.3")
WEST = ip_address("172.16.2.10")
PATIENCE = 30.0

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module")
def lab() -> Iterator[EmulatedLab]:
    topology = dataclasses.replace(load_topology(TOPOLOGIES / "nat-one-side.yaml"), pods_per_node=1)
    running = EmulatedLab.start(topology)
    yield running
    running.close()


def outcome(lab: Lab, source: str = "east@east-1", destination: IPAddress = WEST, timeout: float = 0.3) -> Outcome:
    [observation] = lab.probe([Probe(source=source, destination=destination, port=7100, timeout=timeout)])
    return observation.outcome


def ruleset(lab: Lab, place: str) -> str:
    code, out, err = lab.run(place, ["nft", "list", "ruleset"], timeout=PATIENCE)
    assert code == 0, err
    return out


@pytest.mark.parametrize("name", NAMES)
def test_every_node_of_a_hostile_lab_is_ready_and_reaches_the_world(name: str) -> None:
    running = EmulatedLab.start(load_topology(TOPOLOGIES / f"{name}.yaml"))
    try:
        nodes = [f"{cluster.name}@{node.name}" for cluster in running.topology.clusters for node in cluster.nodes]
        probes = [Probe(source=node, destination=OUTSIDER, port=7100, protocol=Protocol.TCP) for node in nodes]
        assert [each.outcome for each in running.probe(probes)] == [Outcome.DELIVERED] * len(nodes)
    finally:
        running.close()


@pytest.mark.parametrize(
    "fault",
    [
        Cut(source="east", destination="west"),
        Loss(source="west", destination="east", share=1.0),
        LinkDown(cluster="west", node="west-1"),
        NodeAddressChange(cluster="west", node="west-1", address=ip_address("172.16.2.200")),
        NATReboot(site="east"),
        Delay(source="east", destination="west", seconds=1.0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_fault_is_in_force_while_its_context_is_open(lab: EmulatedLab, fault: Fault) -> None:
    assert outcome(lab) is Outcome.DELIVERED
    with lab.fault(fault):
        assert outcome(lab) is not Outcome.DELIVERED
    assert outcome(lab, timeout=PATIENCE) is Outcome.DELIVERED


def test_a_nat_can_be_rebound(lab: EmulatedLab) -> None:
    before = ruleset(lab, "router:east")
    with lab.fault(NATRebinding(site="east")):
        assert outcome(lab) is Outcome.DELIVERED
    assert ruleset(lab, "router:east") != before


def test_an_impossible_fault_says_why(lab: EmulatedLab) -> None:
    with pytest.raises(LabError, match="has no NAT of its own"), lab.fault(NATReboot(site="west")):
        pass


def test_faults_end_when_whoever_began_them_is_killed(lab: EmulatedLab, tmp_path: Path) -> None:
    before = {place: ruleset(lab, place) for place in ("@wan", "router:east")}
    script = tmp_path / "hold.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from l3conf.emulator.control.client import ControlClient\n"
        "from l3conf.model.faults import Delay, Loss, NATReboot, fault_to_json\n"
        "control = ControlClient(Path(sys.argv[1]))\n"
        "for fault in (Loss(source='east', destination='west', share=0.5), NATReboot(site='east'),\n"
        "              Delay(source='west', destination='east', seconds=0.1)):\n"
        "    control.call('fault.start', {'fault': fault_to_json(fault)})\n"
        "print('in force', flush=True)\n"
        "sys.stdin.read()\n"
    )
    argv = [sys.executable, str(script), str(lab.state)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in force\n"
        assert ruleset(lab, "@wan") != before["@wan"]
        holder.kill()
    deadline = time.monotonic() + PATIENCE
    while "l3conf-reboot" in (now := ruleset(lab, "router:east")) or ruleset(lab, "@wan") != before["@wan"]:
        assert time.monotonic() < deadline, now
    assert without_seed(now) == without_seed(before["router:east"])
    assert outcome(lab, timeout=PATIENCE) is Outcome.DELIVERED


def without_seed(text: str) -> list[str]:
    return [word for word in text.split() if not word.startswith("0x")]


def test_a_captured_packet_can_be_sent_again_from_elsewhere(lab: EmulatedLab) -> None:
    with lab.capture("wan") as file:
        assert outcome(lab, "@outsider") is Outcome.DELIVERED
    with file.open("rb") as stream:
        [query] = captured_packets(stream, chosen=lambda packet: packet[9] == 17 and packet[16:20] == WEST.packed)
    with lab.capture("west@west-1") as again:
        lab.inject("@outsider", [query, query])
        assert outcome(lab, "@outsider") is Outcome.DELIVERED  # a later packet on the same way
    with again.open("rb") as stream:
        seen = captured_packets(stream, chosen=lambda packet: packet[20:] == query[20:])
    assert len(seen) == 2


def test_the_lab_can_do_all_that_the_protocol_names(lab: EmulatedLab) -> None:
    assert isinstance(lab, Lab)
    assert lab.capabilities == frozenset(Capability)


def answer_of(lab: EmulatedLab, api: str) -> str:
    """Return the HTTP status that nodes get from an API's version; they are nobody it knows."""
    address = {"east": "https://172.16.1.2:6443", "broker": lab.broker.member_server}[api]
    argv = ["curl", "-sk", "-A", "node/1", "-o", "/dev/null", "-w", "%{http_code}", f"{address}/version"]
    return lab.run("east@east-1", argv, timeout=PATIENCE)[1]


@pytest.mark.parametrize("api", ["east", "broker"])
def test_an_api_server_refuses_until_the_fault_ends(lab: EmulatedLab, api: str) -> None:
    before = answer_of(lab, api)
    with lab.fault(APIRefused(cluster=api, code=503, agent="node/*")):
        assert answer_of(lab, api) == "503"
    assert answer_of(lab, api) == before != "503"


def test_there_are_no_faults_of_unknown_api_servers(lab: EmulatedLab) -> None:
    with (
        pytest.raises(UserError, match="no API server 'nowhere'; there is east, west, broker"),
        lab.fault(APISlow(cluster="nowhere", seconds=1)),
    ):
        pass


def test_the_command_line_breaks_paths_for_a_while() -> None:
    name = f"faults-{os.getpid()}"
    running = EmulatedLab.start(load_topology(TOPOLOGIES / "nat-one-side.yaml"), name=name, background=True)
    try:
        for words in (
            ["loss", "east", "west", "30"],
            ["partition", "east"],
            ["rate", "east", "west", "1000"],
            ["delay", "east", "west", "5"],
            ["nat-reboot", "east"],
            ["address", "east", "192.0.2.77"],
            ["link", "east", "east-2"],
            ["rp-filter", "east", "east-2", "1"],
            ["node-crash", "east", "east-2"],
            ["api", "refuse", "429", "broker", "--retry-after", "1", "--user", "system:serviceaccount:*"],
            ["api", "slow", "0.1", "east", "--verb", "get", "--verb", "list"],
            ["api", "drop", "east", "--carried-out", "--share", "0.5"],
            ["api", "expire", "east"],
            ["api", "duplicate", "east", "--resource", "endpoints.submariner.io"],
            ["api", "late", "0.1", "east"],
            ["api", "reorder", "0.1", "east"],
            ["api", "silence", "east", "--agent", "nobody/*"],
        ):
            done = CliRunner().invoke(l3conf, ["lab", "fault", *words, "--seconds", "0.01", "--lab", name])
            assert done.exit_code == 0, done.output
        done = CliRunner().invoke(l3conf, ["lab", "fault", "nat-rebind", "east", "--lab", name])
        assert done.exit_code == 0, done.output
        assert outcome(running, timeout=PATIENCE) is Outcome.DELIVERED
    finally:
        CliRunner().invoke(l3conf, ["lab", "down", name])
        running.close()


def test_a_node_that_lost_power_is_gone_and_boots_as_it_was_built(lab: EmulatedLab) -> None:
    """Nothing that somebody put into its kernel meanwhile is there any more; its pods run again, and services work."""
    place, api = "west@west-2", lab.status()["clusters"]["west"]
    built = lab.run(place, ["ip", "route"], timeout=PATIENCE)[1]
    assert lab.run(place, ["ip", "route", "add", "203.0.113.0/24", "dev", "eth0"], timeout=PATIENCE)[0] == 0
    assert lab.run(place, ["nft", "add", "table", "inet", "leftover"], timeout=PATIENCE)[0] == 0
    (node,) = (each for each in api["nodes"] if each["name"] == "west-2")
    ask = Probe(source="west@west-1", destination=ip_address(node["address"]), protocol=Protocol.ICMP, timeout=0.5)
    assert lab.probe([ask])[0].outcome is Outcome.DELIVERED
    with lab.fault(NodeCrash(cluster="west", node="west-2")):
        assert lab.probe([ask])[0].outcome is not Outcome.DELIVERED
        with pytest.raises(LabError, match="no power already"), lab.fault(NodeCrash(cluster="west", node="west-2")):
            pass
    assert lab.probe([dataclasses.replace(ask, timeout=PATIENCE)])[0].outcome is Outcome.DELIVERED
    assert lab.run(place, ["ip", "route"], timeout=PATIENCE)[1].splitlines()[:1] == built.splitlines()[:1]
    assert "203.0.113.0" not in lab.run(place, ["ip", "route"], timeout=PATIENCE)[1]
    assert "leftover" not in lab.run(place, ["nft", "list", "tables"], timeout=PATIENCE)[1]
    assert pod_answers(lab, "west-2")


def test_a_node_that_does_not_exist_has_no_power_to_lose(lab: EmulatedLab) -> None:
    with pytest.raises(LabError, match="west-9"), lab.fault(NodeCrash(cluster="west", node="west-9")):
        pass


def pod_answers(lab: EmulatedLab, node: str) -> bool:
    """Say whether the probe pod of a node answers from where the API says that it is, before long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pods = lab.status()["clusters"]["west"]["pods"]
        (pod,) = (each for each in pods if each["node"] == node and each["namespace"] == "l3conf-probes")
        if pod["address"]:
            probe = Probe(source="west@west-1", destination=ip_address(pod["address"]), port=PORT, timeout=0.5)
            if lab.probe([probe])[0].outcome is Outcome.DELIVERED:
                return True
        time.sleep(0.1)
    return False
