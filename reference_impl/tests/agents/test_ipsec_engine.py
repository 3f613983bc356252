from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import ipsec_engine, processes
from reference_impl.drivers.charon import DaemonState
from reference_impl.drivers.charon_news import News
from reference_impl.protocols.ike import DEAD_PEER_DELAY, Connection
from reference_impl.tests.protocols.test_ike import PEER

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.state import IPsecPeer, Pair

PROGRAM = """#!/bin/sh
trap 'echo ended >> {log}; exit 0' TERM
echo "started $STRONGSWAN_CONF" >> {log}
touch {socket}
{then}
"""
SLEEP = "while :; do sleep 0.02; done"


@pytest.fixture(autouse=True)
def _nothing_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipsec_engine, "kernel_has_ipsec", lambda: False)
    monkeypatch.setattr(ipsec_engine, "remove_daemons_rules", lambda: None)
    monkeypatch.setattr(ipsec_engine, "tun_devices", lambda _: ("ipsec0",))
    monkeypatch.setattr(ipsec_engine, "fit_for_tunnels", lambda _pid, _port, room: room)
    monkeypatch.setattr(ipsec_engine, "RETRY", 0.01)
    monkeypatch.setattr(processes, "PATIENCE", 60.0)
    monkeypatch.setattr(ipsec_engine, "LOOK", 0.01)
    monkeypatch.setattr(ipsec_engine, "Charon", lambda _: Deaf())


class Deaf:
    """A daemon that nobody can talk to."""

    def read(self) -> DaemonState | None:
        return None

    def load(self, peer: IPsecPeer, secret: bytes, interface_id: int | None) -> None: ...

    def unload(self, name: str) -> None: ...

    def call(self, name: str, pair: Pair) -> None: ...

    def begin(self, name: str) -> None: ...

    def end(self, unique: str) -> None: ...


def _program(directory: Path, then: str = SLEEP) -> tuple[str, Path]:
    program, log = directory / "program", directory / "log"
    program.write_text(PROGRAM.format(log=log, then=then, socket=directory / "charon.vici"))
    program.chmod(0o700)
    return str(program), log


def _count(log: Path, text: str) -> int:
    return log.read_text().count(text) if log.exists() else 0


async def _run(program: str, directory: Path, log: Path, text: str, times: int = 1) -> None:
    task = asyncio.ensure_future(ipsec_engine.run(program, directory))
    async with asyncio.timeout(20):
        while _count(log, text) < times:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_daemon_ends_with_the_engine_and_leaves_no_socket(tmp_path: Path) -> None:
    program, log = _program(tmp_path)
    asyncio.run(_run(program, tmp_path, log, f"started {tmp_path}/strongswan.conf"))
    assert log.read_text().endswith("ended\n")
    assert not (tmp_path / "charon.vici").exists()


def test_a_daemon_that_dies_is_started_again(tmp_path: Path) -> None:
    program, log = _program(tmp_path, "exit 3")
    asyncio.run(_run(program, tmp_path, log, "started", 3))


def test_a_daemon_whose_device_is_not_ours_is_ended_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ipsec_engine, "tun_devices", lambda _: ("ipsec1",))
    program, log = _program(tmp_path)
    asyncio.run(_run(program, tmp_path, log, "ended"))
    assert "device is ipsec1, not ipsec0" in caplog.text


def test_the_configuration_chooses_who_carries_the_packets_and_touches_no_table_of_others(tmp_path: Path) -> None:
    userspace = ipsec_engine.configuration(tmp_path, libipsec=True)
    kernel = ipsec_engine.configuration(tmp_path, libipsec=False)
    assert " kernel-libipsec kernel-netlink" in userspace
    assert " kernel-libipsec kernel-netlink" not in kernel
    assert "install_routes = no" in userspace
    assert f"unix://{tmp_path}/charon.vici" in userspace


def test_a_peer_is_asked_evenly_until_it_is_given_up(tmp_path: Path) -> None:
    """With growing pauses an SA that works again can be given up over a request that was lost seconds before."""
    said = dict(
        line.strip().split(" = ")
        for line in ipsec_engine.configuration(tmp_path, libipsec=True).splitlines()
        if "retransmit" in line
    )
    assert float(said["retransmit_base"]) == 1.0
    assert float(said["retransmit_timeout"]) <= 0.5


def test_a_peer_is_asked_soon_and_given_up_late(tmp_path: Path) -> None:
    """Soon: a NAT may have moved the gateway, and only this tells the peer. Late: an underlay may be away for 10 s."""
    said = dict(
        line.strip().split(" = ")
        for line in ipsec_engine.configuration(tmp_path, libipsec=True).splitlines()
        if "retransmit" in line
    )
    requests = 1 + int(said["retransmit_tries"])
    assert DEAD_PEER_DELAY <= 2
    assert 12 <= DEAD_PEER_DELAY + requests * float(said["retransmit_timeout"]) <= 15


class Counted(Deaf):
    """A daemon with these connections; counts how often it is looked at."""

    def __init__(self, *connections: Connection) -> None:
        self.looks = 0
        self._state = DaemonState(connections=connections, libipsec=True)

    def read(self) -> DaemonState | None:
        self.looks += 1
        return self._state


class Bulletin(News):
    """Says what it is told to, one question after the other: ``!`` is news, anything else is not."""

    def __init__(self, answers: str) -> None:
        self._answers = list(answers)

    def within(self, seconds: float) -> bool:  # noqa: ARG002 - time is not the matter here
        if not self._answers:
            raise asyncio.CancelledError
        return self._answers.pop(0) == "!"


def _keep_up(answers: str, *connections: Connection) -> int:
    control = Counted(*connections)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ipsec_engine.keep_up(control, Bulletin(answers)))
    return control.looks


def test_the_daemon_is_looked_at_when_something_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipsec_engine, "QUIET", 100 * ipsec_engine.LOOK)
    assert _keep_up("...") == 1
    assert _keep_up(".!..") == 2
    assert _keep_up("!!!") == 4
    assert _keep_up("...", Connection(peer=PEER, up=PEER.pairs)) == 1


@pytest.mark.parametrize(
    "connection",
    [
        Connection(peer=PEER),
        Connection(peer=PEER, up=PEER.pairs, under_way=True),
        Connection(peer=PEER, up=PEER.pairs, predecessors=("7",)),
    ],
    ids=["down", "under way", "with an SA that is to end"],
)
def test_the_daemon_is_looked_at_all_the_time_while_something_is_to_come(connection: Connection) -> None:
    assert _keep_up("...", connection) == 4


def test_the_daemon_is_looked_at_now_and_then_though_nothing_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipsec_engine, "QUIET", 2 * ipsec_engine.LOOK)
    assert _keep_up("....") == 3
