"""A connection may be silent between two questions, and what happens to it meanwhile is told."""

from __future__ import annotations

import time

import pytest

from l3conf.observation import Outcome, Protocol
from l3conf.probes.engine import run_all
from l3conf.tests.probes.ground import B6, B, Ground, load, probe, routed_pair
from l3conf.tests.sandbox import sandboxed

IDLE = 0.3


@pytest.mark.parametrize("family", [4, 6])
@sandboxed
def test_a_silent_connection_is_asked_twice_and_takes_as_long_as_its_silence(family: int) -> None:
    with routed_pair() as ground:
        began = time.monotonic()
        seen = ground.one(B if family == 4 else B6, protocol=Protocol.TCP, idle=IDLE, size=5000)
        assert seen.outcome is Outcome.DELIVERED, seen
        assert time.monotonic() - began >= IDLE
        assert len(ground.engine.sightings("b", [seen.nonce])) == 2


def forget_flow(ground: Ground) -> None:
    """Drop on the way whatever is no new connection, as a firewall that has forgotten it does."""
    load(ground.router, "filter hook forward priority 0", "tcp flags & syn == 0 drop")


@sandboxed
def test_a_connection_that_was_forgotten_on_the_way_times_out_and_says_that_it_was_open() -> None:
    with routed_pair() as ground:
        answers: list[Outcome] = []
        details: list[str] = []

        def done(seen: list[object]) -> None:
            (one,) = seen
            answers.append(one.outcome)  # type: ignore[attr-defined]
            details.append(one.detail)  # type: ignore[attr-defined]

        server = ground.engine._places["b"]._server
        assert server is not None
        ground.engine.run([probe(protocol=Protocol.TCP, idle=IDLE, timeout=1.5)], done)  # type: ignore[arg-type]
        while not any(each.asked for each in server._connections):
            ground.engine.step(0.01)
        for _ in range(5):  # the answer to the first question
            ground.engine.step(0.01)
        forget_flow(ground)
        while not answers:
            ground.engine.step(0.1)
        assert answers == [Outcome.TIMEOUT]
        assert details[0].startswith("connected; ")


@sandboxed
def test_a_connection_that_is_reset_while_it_is_silent_is_told_at_once() -> None:
    with routed_pair() as ground:
        server = ground.engine._places["b"]._server
        assert server is not None
        answers: list[object] = []
        ground.engine.run([probe(protocol=Protocol.TCP, idle=60.0, timeout=90.0)], answers.extend)
        deadline = time.monotonic() + 60.0
        while not any(each.asked for each in server._connections):
            assert time.monotonic() < deadline
            ground.engine.step(0.01)
        for _ in range(10):
            ground.engine.step(0.01)
        for connection in list(server._connections):
            connection.close()
        while not answers:
            assert time.monotonic() < deadline
            ground.engine.step(0.1)
        assert answers[0].outcome is Outcome.RESET  # type: ignore[attr-defined]


@sandboxed
def test_a_server_keeps_silent_connections_and_closes_those_that_never_asked() -> None:
    with routed_pair() as ground:
        server = ground.engine._places["b"]._server
        assert server is not None
        answers: list[object] = []
        ground.engine.run([probe(protocol=Protocol.TCP, idle=1.0)], answers.extend)
        while not any(each.asked for each in server._connections):
            ground.engine.step(0.01)
        (silent,) = server._connections
        silent.since -= 1000.0
        run_all(ground.engine, [probe(protocol=Protocol.TCP)])
        assert silent in server._connections
        silent.asked = False
        run_all(ground.engine, [probe(protocol=Protocol.TCP)])
        assert silent not in server._connections


@sandboxed
def test_only_streams_can_be_silent() -> None:
    with routed_pair() as ground:
        seen = ground.one(protocol=Protocol.UDP, idle=1.0)
        assert seen.outcome is Outcome.HARNESS_ERROR
        assert "cannot be idle" in seen.detail
