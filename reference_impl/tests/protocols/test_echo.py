from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.echo import NONCE_LENGTH, EchoReply, checksum, echo_request, parse_reply

NONCE = bytes(range(NONCE_LENGTH))
IP_HEADER = bytes([0x45]) + bytes(19)


def _as_reply(request: bytes) -> bytes:
    return IP_HEADER + b"\0" + request[1:]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_a_reply_is_known_by_what_was_asked(identifier: int, sequence: int) -> None:
    request = echo_request(4, identifier, sequence, NONCE)
    assert checksum(request) == 0
    assert parse_reply(4, _as_reply(request), NONCE) == EchoReply(identifier, sequence)


def test_a_reply_to_another_process_is_not_ours() -> None:
    assert parse_reply(4, _as_reply(echo_request(4, 1, 1, NONCE)), bytes(NONCE_LENGTH)) is None


def test_a_request_is_no_reply() -> None:
    assert parse_reply(4, IP_HEADER + echo_request(4, 1, 1, NONCE), NONCE) is None


@given(st.binary(max_size=64))
def test_no_packet_is_too_strange_to_parse(packet: bytes) -> None:
    for version in (4, 6):
        assert parse_reply(version, packet, b"\xff" * NONCE_LENGTH) is None or NONCE_LENGTH
