from __future__ import annotations

import base64
import contextlib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.wireguard_uapi import (
    DeviceState,
    PeerState,
    WireGuardProtocolError,
    parse_device,
    parse_errno,
    remove_peer,
    reset_device,
    set_device,
    set_peer,
)
from reference_impl.state import WireGuardPeer

keys = st.binary(min_size=32, max_size=32).filter(any)
networks = st.builds(
    lambda n, bits: IPv4Network((n >> bits << bits, 32 - bits)), st.integers(0, 2**32 - 1), st.integers(0, 32)
)
networks6 = st.builds(
    lambda n, bits: IPv6Network((n >> bits << bits, 128 - bits)), st.integers(0, 2**128 - 1), st.integers(0, 128)
)
endpoints = st.none() | st.tuples(
    st.integers(1, 2**32 - 1).map(IPv4Address) | st.integers(1, 2**128 - 1).map(IPv6Address), st.integers(1, 65535)
)
peers = st.builds(
    lambda key, allowed, endpoint, keepalive: WireGuardPeer(
        device="wg",
        public_key=base64.b64encode(key).decode(),
        allowed=frozenset(allowed),
        endpoint=endpoint,
        keepalive=keepalive,
    ),
    keys,
    st.lists(networks | networks6, max_size=4),
    endpoints,
    st.integers(0, 65535),
)
SWITCHES = ("set=1\n", "replace_allowed_ips=true\n")


def as_answer(*requests: bytes) -> bytes:
    """Return what a device answers that was given these requests: it says back what it was told."""
    lines = "".join(request.decode()[:-1] for request in requests)
    for switch in SWITCHES:
        lines = lines.replace(switch, "")
    return lines.encode() + b"errno=0\n\n"


@given(keys, st.integers(1, 65535), st.lists(peers, max_size=3))
def test_what_a_device_was_told_is_what_is_read_back(key: bytes, port: int, told: list[WireGuardPeer]) -> None:
    state = parse_device(as_answer(set_device(key, port), *map(set_peer, told)))
    assert (state.private_key, state.port) == (key, port)
    assert [(p.public_key, p.allowed, p.endpoint, p.keepalive) for p in state.peers] == [
        (p.public_key, p.allowed, p.endpoint, p.keepalive) for p in told
    ]


@given(keys)
def test_a_key_alone_can_be_replaced(key: bytes) -> None:
    """A port that is named again costs wireguard-go its sockets, and whatever arrives meanwhile."""
    assert b"listen_port" not in set_device(key, None)
    assert parse_device(as_answer(set_device(key, None))).private_key == key


@given(peers)
def test_a_request_ends_once_and_sets_only_its_own_peer(peer: WireGuardPeer) -> None:
    request = set_peer(peer).decode()
    assert request.startswith("set=1\npublic_key=")
    assert request.endswith("\n\n")
    assert request.count("\n\n") == 1
    assert request.count("public_key=") == 1
    assert ("endpoint=" in request) == (peer.endpoint is not None)


def test_removing_names_the_peer_and_nothing_else() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    assert remove_peer(key).decode().splitlines() == [
        "set=1",
        f"public_key={bytes(range(32)).hex()}",
        "remove=true",
        "",
    ]


def test_a_device_that_was_reset_has_no_key() -> None:
    assert parse_device(as_answer(reset_device())) == DeviceState(private_key=None, port=0)


def test_a_handshake_and_unknown_lines_are_understood() -> None:
    answer = f"public_key={'ab' * 32}\nlast_handshake_time_sec=7\nrx_bytes=1\nprotocol_version=1\nerrno=0\n\n"
    (peer,) = parse_device(answer.encode()).peers
    assert peer == PeerState(public_key=base64.b64encode(b"\xab" * 32).decode(), handshake=7)


@pytest.mark.parametrize(
    "answer", [b"", b"errno=0\n", b"\n\n", b"errno=x\n\n", b"nonsense\nerrno=0\n\n", b"listen_port=1\n\n"]
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(WireGuardProtocolError):
        parse_device(answer)


def test_an_error_number_is_read() -> None:
    assert parse_errno(b"errno=-22\n\n") == -22


@given(st.binary(max_size=200).map(lambda body: body + b"\nerrno=0\n\n") | st.binary(max_size=60))
def test_no_answer_is_strange_enough_to_crash_the_reader(answer: bytes) -> None:
    with contextlib.suppress(WireGuardProtocolError):
        parse_device(answer)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["private_key", "public_key", "endpoint", "allowed_ip", "listen_port", "last_handshake_time_sec"]
            ),
            st.text("0123456789abcdef.:[]/-", max_size=70),
        ),
        max_size=6,
    )
)
def test_no_value_is_strange_enough_either(pairs: list[tuple[str, str]]) -> None:
    body = "".join(f"{key}={value}\n" for key, value in pairs)
    with contextlib.suppress(WireGuardProtocolError):
        parse_device(f"{body}errno=0\n\n".encode())


def test_no_text_of_a_device_shows_its_private_key() -> None:
    state = DeviceState(private_key=bytes(range(32)), port=1)
    assert "\\x01" not in repr(state)
    assert "private" not in repr(state)
