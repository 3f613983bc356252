"""The lab on Mininet as its users meet it: scenarios, the prompt, and nothing left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.labs import MININET, open_lab
from l3conf.labs.emulated import EmulatedLab
from l3conf.labs.mininet import MininetLab
from l3conf.model.faults import NodeAdded, NodeCrash
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.spec.files import load_topology
from l3conf.tests.labs.test_emulated_lab import address_of, children_of, host_network, pod, wait_until_gone
from l3conf.tests.mininet.needs import needs_mininet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from l3conf.model.topology import Topology

ROOT = Path(__file__).parents[3]
MN = Path(sys.executable).with_name("mn")

pytestmark = [pytest.mark.xdist_group("mininet-lab"), needs_mininet]


def topology() -> Topology:
    return dataclasses.replace(load_topology(ROOT / "topologies/two-clusters.yaml"), pods_per_node=1)


@pytest.fixture(scope="module")
def lab() -> Iterator[MininetLab]:
    running = open_lab(MININET, topology())
    assert isinstance(running, MininetLab)
    yield running
    running.close()


def probe(lab: MininetLab, source: str, destination: str) -> Outcome:
    target = ip_address(address_of(lab, destination))
    [seen] = lab.probe([Probe(source=source, destination=target, port=7100, protocol=Protocol.TCP, timeout=5.0)])
    return seen.outcome


def test_its_nodes_are_hosts_of_mininet(lab: MininetLab) -> None:
    shells = {
        words[-1].removeprefix("mininet:"): process
        for process in map(str, children_of(lab.emulator_pid))
        if (words := Path("/proc", process, "cmdline").read_text().rstrip("\0").split("\0"))[-1].startswith("mininet:")
    }
    assert {"east@east-1", "router:east", "lan:east", "wan", "wan-router", "@outsider"} <= shells.keys()
    for place in ("east@east-1", "router:west", "lan:east"):
        code, inode, _ = lab.run(place, ["stat", "-Lc", "%i", "/proc/self/ns/net"], timeout=10)
        assert code == 0
        assert int(inode) == Path("/proc", shells[place], "ns/net").stat().st_ino


def test_pods_talk_nodes_come_and_nodes_boot(lab: MininetLab) -> None:
    assert probe(lab, pod("east", 1), pod("east", 2)) is Outcome.DELIVERED
    with lab.fault(NodeAdded(cluster="east")):
        added = lab.topology.cluster("east").nodes[-1].name
        assert lab.run(f"east@{added}", ["ip", "route", "get", "172.16.2.10"], timeout=10)[0] == 0
    with lab.fault(NodeCrash(cluster="east", node="east-3")):
        pass
    assert lab.run("east@east-3", ["ip", "route", "get", "172.16.2.10"], timeout=10)[0] == 0
    assert len(lab.topology.cluster("east").nodes) == 3


def test_it_says_what_it_is(lab: MininetLab) -> None:
    assert lab.kind == "mininet"
    assert "version/mininet" in lab.describe()
    assert lab.capabilities == EmulatedLab.capabilities


def test_a_scenario_passes_there_and_its_report_says_where(tmp_path: Path) -> None:
    words = ["run", "L3-F1", "--topology", "two-clusters", "--on", "mininet", "-o", str(tmp_path / "report")]
    ran = subprocess.run(
        [sys.executable, "-m", "l3conf", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["run"]["lab"] == "mininet"
    assert "mininet" in report["run"]["versions"]
    [row] = [row for row in report["rows"] if row["id"] == "L3-F1"]
    assert [test["verdict"] for test in row["tests"] if test["topology"] == "two-clusters"] == ["pass", "pass"]


def test_a_killed_lab_takes_mininet_with_it_and_the_host_stays_as_it_was() -> None:
    before = host_network()
    lab = MininetLab.start(topology())
    try:
        shells = children_of(lab.emulator_pid)
        os.kill(lab.emulator_pid, signal.SIGKILL)
        wait_until_gone(lab.emulator_pid, *shells)
    finally:
        lab.close()
    assert host_network() == before


def prompt(topo: str, commands: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MN, "--custom", str(ROOT / "topologies/mininet.py"), "--topo", f"l3conf,{topo}"],
        input=commands,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )


def test_mn_gives_its_prompt_on_a_cluster_set() -> None:
    before = host_network()
    asked = ("nodes", "east@east-1 ip route get 172.16.2.10", "broker ip route get 172.16.1.10", "lan:east brctl show")
    ended = prompt("nat-one-side", "\n".join((*asked, "exit\n")))
    assert ended.returncode == 0, ended.stdout
    assert "available nodes are: \n@outsider broker control-plane:east" in ended.stdout
    assert "172.16.2.10 via 172.16.1.1 dev eth0 src 172.16.1.10" in ended.stdout
    assert "172.16.1.10 via 192.0.2.1 dev eth0 src 192.0.2.2" in ended.stdout, "the WAN knows no way behind the NAT"
    assert "node0" in ended.stdout
    assert host_network() == before


def test_hosts_at_the_prompt_reach_each_other_across_sites() -> None:
    answer = "import socket; s = socket.create_server(('', 7777)); c, a = s.accept(); print(c.recv(9), a[0])"
    ask = "until echo hello > /dev/tcp/172.16.2.10/7777; do sleep 0.1; done"
    script = (
        f"east@east-1 timeout 30 bash -c '{ask}' 2> /dev/null &\n"
        f'west@west-1 timeout 30 {sys.executable} -c "{answer}"\n'
    )
    assert "b'hello\\n' 172.16.1.10" in prompt("two-clusters", script).stdout


@pytest.mark.parametrize(
    ("topo", "said"),
    [("nowhere", "mn: there is no topology 'nowhere' (there are: "), ("./nowhere.yaml", "mn: "), ("README.md", "mn: ")],
)
def test_mistakes_at_the_prompt_are_one_line(topo: str, said: str) -> None:
    ended = prompt(topo, "")
    assert ended.returncode == 1
    last = ended.stdout.splitlines()[-1]
    assert last.startswith(said)
    assert topo.removeprefix("./") in last
    assert "Traceback" not in ended.stdout


class Terminal:
    """A terminal with ``mn`` on it."""

    def __init__(self) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where tests were begun in the background
            os.chdir(ROOT)
            os.execv(MN, [str(MN), "--custom", "topologies/mininet.py", "--topo", "l3conf,two-clusters"])  # noqa: S606
        self._said = b""
        self._ended = False

    def after(self, words: bytes, typed: bytes) -> None:
        """Wait for words, and type."""
        while words not in self._said:
            self._said += os.read(self._descriptor, 4096)
        self._said = self._said.partition(words)[2]
        os.write(self._descriptor, typed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            os.kill(self.pid, signal.SIGTERM)
            self.close()

    def close(self) -> int:
        """Wait for the end; return the exit code."""
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while os.read(self._descriptor, 4096):
                pass
        os.close(self._descriptor)
        self._ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_at_the_prompt_ends_a_command_and_not_the_network() -> None:
    with Terminal() as terminal:
        terminal.after(b"mininet> ", b"east@east-1 sh -c 'echo begun $((6 * 7)); exec sleep 1000'\n")
        terminal.after(b"begun 42", b"\x03")
        terminal.after(b"mininet> ", b"east@east-1 echo still $((6 * 7)) here\n")
        terminal.after(b"still 42 here", b"")
        terminal.after(b"mininet> ", b"exit\n")
        assert terminal.close() == 0
