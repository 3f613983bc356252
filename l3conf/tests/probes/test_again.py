"""A probe that is sent again while it has no answer: what is lost costs a third of its time, what is slow nothing."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from l3conf.observation import Observation, Outcome, Protocol
from l3conf.probes import wire
from l3conf.probes.poller import READ
from l3conf.tests.probes.ground import load, probe, routed_pair, run_in
from l3conf.tests.sandbox import sandboxed

PORT = 9000
SOON = 0.1
"""Seconds until the same is sent again."""
SLOW = 0.45
"""Seconds until an answer: four times as long."""
FIRST = {
    Protocol.UDP: "ip daddr 10.0.2.2 meta l4proto udp",
    Protocol.ICMP: "ip daddr 10.0.2.2 icmp type echo-request",
    Protocol.SCTP: "ip daddr 10.0.2.2 meta l4proto sctp @th,96,8 1",
}
"""The first packet of a probe, as its router sees it."""
FIRST_CONNECTION = """
table ip t {
  set dead { type inet_service; flags dynamic; }
  chain c {
    type filter hook forward priority 0;
    tcp flags & (syn|ack) == syn numgen inc mod 1000 0 add @dead { tcp sport }
    tcp sport @dead counter drop
  }
}
"""
"""Nothing of the first connection passes, whatever its kernel sends again."""


@pytest.mark.parametrize("ttl", [None, 40])
@pytest.mark.parametrize("protocol", list(FIRST))
@sandboxed
def test_one_lost_packet_costs_no_more_than_the_pause(protocol: Protocol, ttl: int | None) -> None:
    """With the sockets that many probes share, and with one of its own."""
    with routed_pair() as ground:
        load(ground.router, "filter hook forward priority 0", f"{FIRST[protocol]} numgen inc mod 2 0 counter drop")
        seen = ground.one(protocol=protocol, again=SOON, ttl=ttl)
        assert seen.outcome is Outcome.DELIVERED, seen
        assert seen.rtt is not None
        assert seen.rtt >= SOON
        assert "packets 1 " in run_in(ground.router, "nft list table ip t")
        (sighting,) = ground.engine.sightings("b", [seen.nonce])
        assert sighting.protocol is protocol


@sandboxed
def test_a_connection_that_does_not_come_about_is_begun_anew() -> None:
    with routed_pair() as ground:
        run_in(ground.router, "nft -f -", FIRST_CONNECTION)
        seen = ground.one(protocol=Protocol.TCP, again=SOON)
        assert seen.outcome is Outcome.DELIVERED, seen
        assert "packets 0 " not in run_in(ground.router, "nft list table ip t")


@pytest.mark.parametrize("ttl", [None, 40])
@sandboxed
def test_an_answer_to_the_first_counts_after_it_was_sent_again(ttl: int | None) -> None:
    """Also where the first had a socket of its own."""
    with routed_pair() as ground, ground.b.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", PORT))
        heard = []

        def ready(_: int) -> None:
            heard.append(server.recvfrom(1 << 16))
            message = wire.decode(heard[0][0])
            assert message is not None
            if len(heard) == 4:
                server.sendto(wire.encode_answer(message, 64, "10.0.1.2", 1, b"slow"), heard[0][1])

        ground.engine.poller.register(server.fileno(), READ, ready)
        seen = ground.one(port=PORT, again=SOON, ttl=ttl)
        ground.engine.poller.unregister(server.fileno())
        assert seen.outcome is Outcome.DELIVERED, seen
        assert seen.rtt is not None
        assert seen.rtt >= 3 * SOON
        assert len({data for data, _ in heard}) == 1, "it is the same question"


@sandboxed
def test_a_connection_that_stands_is_waited_for() -> None:
    with routed_pair() as ground, ground.b.socket(socket.AF_INET, socket.SOCK_STREAM) as server, ExitStack() as stack:
        server.bind(("0.0.0.0", PORT))
        server.listen()
        accepted: list[socket.socket] = []
        ground.engine.poller.register(
            server.fileno(), READ, lambda _: accepted.append(stack.enter_context(server.accept()[0]))
        )
        seen: list[Observation] = []
        ground.engine.run([probe(port=PORT, protocol=Protocol.TCP, again=SOON)], seen.extend)
        began = time.monotonic()
        while time.monotonic() < began + SLOW:
            ground.engine.step(SOON)
        message = wire.decode(accepted[0].recv(1 << 16))
        assert message is not None
        accepted[0].sendall(wire.encode_answer(message, 64, "10.0.1.2", 1, b"slow"))
        while not seen:
            ground.engine.step(SOON)
        ground.engine.poller.unregister(server.fileno())
        assert seen[0].outcome is Outcome.DELIVERED, seen
        assert len(accepted) == 1


@sandboxed
def test_silence_ends_with_the_timeout_and_leaves_no_socket() -> None:
    with routed_pair() as ground:
        run_in(ground.router, "ip route add blackhole 10.0.2.2/32")
        asked = [probe(protocol=each, again=SOON, timeout=SLOW, ttl=40) for each in Protocol]
        seen = ground.run(*asked)
        assert {each.outcome for each in seen} == {Outcome.TIMEOUT}
        assert "10.0.2.2" not in run_in(ground.a, "ss -Htuna"), "a connection is still tried"
