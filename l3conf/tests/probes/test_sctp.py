"""SCTP without sockets: what goes over the wire is SCTP, and what is not is nobody's."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.probes import sctp
from l3conf.probes.sctp import Association, Chunk, Packet, Responder

HERE, PORT = "10.0.0.1", 7100
payloads = st.binary(min_size=1, max_size=3000)
chunks = st.builds(Chunk, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
sixteen = st.integers(0, 0xFFFF)
packets = st.builds(Packet, sixteen, sixteen, st.integers(0, 0xFFFFFFFF), st.lists(chunks, max_size=4).map(tuple))


def read(data: bytes | None) -> Packet:
    assert data is not None
    packet = sctp.decode(data)
    assert packet is not None
    return packet


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert sctp.crc32c(b"123456789") == 0xE3069283
    assert sctp.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@given(packets)
def test_what_was_encoded_is_read(packet: Packet) -> None:
    assert sctp.decode(sctp.encode(packet)) == packet


@given(packets, st.data())
def test_one_changed_bit_is_noticed(packet: Packet, data: st.DataObject) -> None:
    octets = bytearray(sctp.encode(packet))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert sctp.decode(bytes(octets)) is None


@given(st.binary(max_size=200))
def test_whatever_arrives_nothing_is_raised(data: bytes) -> None:
    sctp.ports_of(data)
    packet = sctp.decode(data)
    if packet is not None:
        Association(50000, PORT, b"q", tag=packet.tag or 1).receive(packet)
        Responder().accept(packet, HERE)
        Responder().query(packet, HERE)


@given(st.lists(chunks, max_size=3).map(tuple), st.integers(1, 0xFFFFFFFF))
def test_whatever_chunks_a_right_packet_has_nothing_is_raised(some: tuple[Chunk, ...], tag: int) -> None:
    association = Association(50000, PORT, b"q", tag=tag)
    for _ in range(2):
        association.receive(Packet(PORT, 50000, tag, some))
    responder = Responder()
    for each in (0, tag):
        assert responder.query(Packet(50000, PORT, each, some), HERE) is None
        responder.accept(Packet(50000, PORT, each, some), HERE)


@given(payloads, payloads)
def test_a_question_is_answered_in_two_round_trips(query: bytes, answer: bytes) -> None:
    client, server = Association(50000, PORT, query), Responder()
    accepted = read(server.accept(read(client.init()), HERE))
    reply, early = client.receive(accepted)
    assert early is None
    echoed = read(reply)
    assert [chunk.kind for chunk in echoed.chunks] == [sctp.COOKIE_ECHO, sctp.DATA]
    assert server.query(echoed, HERE) == query
    answered = read(server.answer(echoed, HERE, answer))
    assert [chunk.kind for chunk in answered.chunks] == [sctp.COOKIE_ACK, sctp.SACK, sctp.DATA]
    farewell, got = client.receive(answered)
    assert got == answer
    assert [chunk.kind for chunk in read(farewell).chunks] == [sctp.SACK, sctp.ABORT]
    assert {packet.tag for packet in (accepted, answered)} == {client.tag}
    assert {packet.tag for packet in (echoed, read(farewell))} != {client.tag}


def test_a_cookie_counts_for_whom_it_was_made_and_with_its_own_tag() -> None:
    client, server = Association(50000, PORT, b"query"), Responder()
    echoed = read(client.receive(read(server.accept(read(client.init()), HERE)))[0])
    assert server.query(echoed, HERE) == b"query"
    assert server.query(echoed, "10.0.0.2") is None
    assert server.query(echoed._replace(source_port=50001), HERE) is None
    assert server.query(echoed._replace(tag=echoed.tag ^ 1), HERE) is None
    assert Responder().query(echoed, HERE) is None


@pytest.mark.parametrize("tag", [0, 7])
def test_an_init_without_a_tag_or_under_one_is_not_accepted(tag: int) -> None:
    value = struct.pack("!IIHHI", 0 if tag == 0 else 5, 1 << 16, 1, 1, 5)
    assert Responder().accept(Packet(50000, PORT, tag, (Chunk(sctp.INIT, 0, value),)), HERE) is None


def test_what_comes_under_another_tag_or_from_another_port_is_not_for_this_association() -> None:
    client, server = Association(50000, PORT, b"query"), Responder()
    accepted = read(server.accept(read(client.init()), HERE))
    assert client.receive(accepted._replace(tag=client.tag ^ 1)) == (None, None)
    assert client.receive(accepted._replace(source_port=7101)) == (None, None)
    assert client.receive(accepted)[0] is not None
    assert client.receive(accepted) == (None, None)
