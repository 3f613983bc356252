from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.key_file import KeyPair
from reference_impl.protocols.discovery_messages import (
    LENGTH,
    NONCE_LENGTH,
    Kind,
    Message,
    decode,
    encode,
    parties,
    tag,
)

SECRET = bytes(range(32))
tags = st.binary(min_size=8, max_size=8)
addresses: st.SearchStrategy[IPv4Address | IPv6Address] = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
places = st.tuples(addresses, st.integers(0, 65535))
nonces = st.binary(min_size=NONCE_LENGTH, max_size=NONCE_LENGTH)
messages = st.one_of(
    st.builds(Message, kind=st.just(Kind.REQUEST), sender=tags, receiver=tags, nonce=nonces),
    st.builds(Message, kind=st.just(Kind.REPLY), sender=tags, receiver=tags, nonce=nonces, seen=places),
)


@given(messages)
def test_what_is_written_is_read(message: Message) -> None:
    data = encode(message, SECRET)
    assert len(data) == LENGTH
    assert decode(data, SECRET) == message
    assert parties(data) == (message.sender, message.receiver)


@given(messages, st.binary(min_size=32, max_size=32).filter(lambda secret: secret != SECRET))
def test_without_the_secret_nothing_is_believed(message: Message, other: bytes) -> None:
    assert decode(encode(message, other), SECRET) is None


@given(messages, st.integers(0, LENGTH * 8 - 1))
def test_no_bit_can_be_changed(message: Message, bit: int) -> None:
    data = bytearray(encode(message, SECRET))
    data[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(data), SECRET) is None


@given(st.one_of(st.binary(max_size=200), st.binary(min_size=LENGTH, max_size=LENGTH)))
def test_anything_at_all_may_come_in(data: bytes) -> None:
    assert decode(data, SECRET) is None
    assert parties(data) is None or data[:4] == b"l3nd"


def test_requests_and_replies_have_one_length_so_that_nothing_is_amplified() -> None:
    request = Message(kind=Kind.REQUEST, sender=bytes(8), receiver=bytes(8), nonce=bytes(16))
    reply = Message(kind=Kind.REPLY, sender=bytes(8), receiver=bytes(8), nonce=bytes(16), seen=(ip_address("::1"), 1))
    assert len(encode(request, SECRET)) == len(encode(reply, SECRET))


def test_tags_tell_keys_apart() -> None:
    assert len({tag(KeyPair(bytes([number]) * 32).public) for number in range(1, 50)}) == 49
