"""Servers that are not what they should be: each misbehaviour has its own outcome."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from l3conf.observation import Outcome, Protocol
from l3conf.probes import wire
from l3conf.probes.poller import READ
from l3conf.tests.probes.ground import B, Ground, probe, routed_pair
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
from contextlib import contextmanager

PORT = 9000
SHORT = 0.15
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@contextmanager
def udp_server(ground: Ground, answer: Callable[[bytes], bytes]) -> Iterator[None]:
    """Answer datagrams at b."""
    with ground.b.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", PORT))

        def ready(_: int) -> None:
            data, source = server.recvfrom(1 << 16)
            server.sendto(answer(data), source)

        ground.engine.poller.register(server.fileno(), READ, ready)
        yield
        ground.engine.poller.unregister(server.fileno())


@contextmanager
def tcp_server(ground: Ground, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Give every connection at b to ``serve``, once its first bytes are there."""
    open_now: list[socket.socket] = []
    with ground.b.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("0.0.0.0", PORT))
        server.listen()

        def accept(_: int) -> None:
            connection, _address = server.accept()
            open_now.append(connection)

            def ready(_: int) -> None:
                ground.engine.poller.unregister(connection.fileno())
                serve(connection)

            ground.engine.poller.register(connection.fileno(), READ, ready)

        ground.engine.poller.register(server.fileno(), READ, accept)
        yield
        ground.engine.poller.unregister(server.fileno())
        for connection in open_now:
            connection.close()


def _answer(query: bytes, size: int = 64) -> bytes:
    message = wire.decode(query)
    assert message is not None
    return wire.encode_answer(message, size, "10.0.1.2", 1, b"odd")


def _changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (_answer, Outcome.DELIVERED, ""),
        (lambda query: _changed(_answer(query)), Outcome.CORRUPTED, "the answer arrived damaged"),
        (lambda query: _answer(query)[:-1], Outcome.CORRUPTED, "the answer arrived damaged"),
        (lambda query: _answer(_changed(query)), Outcome.CORRUPTED, "the query arrived damaged"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n", Outcome.TIMEOUT, ""),
        (lambda _: wire.encode_query(b"another1", 64), Outcome.TIMEOUT, ""),
    ],
)
@sandboxed
def test_a_datagram_counts_by_its_nonce_and_checksum(
    answer: Callable[[bytes], bytes], outcome: Outcome, detail: str
) -> None:
    with routed_pair() as ground, udp_server(ground, answer):
        timeout = SHORT if outcome is Outcome.TIMEOUT else 5.0
        seen = ground.one(port=PORT, timeout=timeout)
        assert (seen.outcome, seen.detail) == (outcome, detail)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()


def _half(connection: socket.socket) -> None:
    connection.send(_answer(connection.recv(100))[:40])


def _half_then_close(connection: socket.socket) -> None:
    _half(connection)
    connection.close()


@pytest.mark.parametrize(
    ("serve", "outcome", "detail"),
    [
        (lambda c: c.send(_answer(c.recv(100))), Outcome.DELIVERED, ""),
        (_reset, Outcome.RESET, "ECONNRESET"),
        (lambda _: None, Outcome.TIMEOUT, "connected; 64 of 64 bytes written, 0 read"),
        (_half, Outcome.TIMEOUT, "connected; 64 of 64 bytes written, 40 read"),
        (_half_then_close, Outcome.RESET, "closed early: connected; 64 of 64 bytes written, 40 read"),
        (lambda c: c.send(b"SSH-2.0-x\r\n"), Outcome.CORRUPTED, "magic"),
        (lambda c: c.send(_changed(_answer(c.recv(100)))), Outcome.CORRUPTED, "the answer arrived damaged"),
        (lambda c: c.send(wire.encode_query(b"another1", 64)), Outcome.CORRUPTED, "not the answer"),
    ],
)
@sandboxed
def test_a_stream_ends_as_what_its_server_did(
    serve: Callable[[socket.socket], None], outcome: Outcome, detail: str
) -> None:
    with routed_pair() as ground, tcp_server(ground, serve):
        timeout = SHORT if outcome is Outcome.TIMEOUT else 5.0
        seen = ground.one(port=PORT, protocol=Protocol.TCP, timeout=timeout)
        assert seen.outcome is outcome, seen
        assert detail in seen.detail


@sandboxed
def test_a_reset_in_the_middle_of_a_large_stream_is_a_reset() -> None:
    with routed_pair() as ground, tcp_server(ground, _reset):
        seen = ground.one(port=PORT, protocol=Protocol.TCP, size=4 << 20)
        assert seen.outcome is Outcome.RESET, seen


@sandboxed
def test_the_probe_server_survives_whatever_is_sent_to_it() -> None:
    with routed_pair() as ground:
        with ground.a.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            for junk in (b"", b"x", b"L3cp\x01\x01", wire.encode_query(b"12345678", 64)[:30], bytes(60000)):
                datagrams.sendto(junk, (str(B), wire.PORT))
        streams = [ground.a.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(3)]
        for stream, junk in zip(
            streams, (b"GET / HTTP/1.1\r\n\r\n", b"L3cp\x01", b"L3cp\x01\x01" + b"\xff" * 40), strict=True
        ):
            stream.connect((str(B), wire.PORT))
            stream.send(junk)
        seen = ground.run(*(probe(protocol=protocol) for protocol in Protocol))
        assert {each.outcome for each in seen} == {Outcome.DELIVERED}
        for stream in streams:
            stream.close()


@sandboxed
def test_two_servers_do_not_answer_each_other_for_ever() -> None:
    with routed_pair() as ground:
        ground.one(forged_source=B, timeout=SHORT)  # b gets a query that seems to come from its own server
        nonces = [ground.one(forged_source=B, timeout=SHORT).nonce]
        assert len(ground.engine.sightings("b", nonces)) <= 1
