"""The probe payload is recognised or refused, never misread."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.probes import wire

nonces = st.binary(min_size=wire.NONCE_SIZE, max_size=wire.NONCE_SIZE)
sizes = st.integers(wire.MIN_SIZE, 2000) | st.sampled_from([65535, 65536, 70000, 200_000])
addresses = st.ip_addresses()
places = st.text(max_size=100).map(str.encode)


def _query(nonce: bytes, size: int) -> bytes:
    return wire.encode_query(nonce, size)


def _answer(nonce: bytes, size: int, source: IPv4Address | IPv6Address, place: bytes) -> bytes:
    query = wire.Message(wire.QUERY, nonce, intact=True)
    return wire.encode_answer(query, size, str(source), 4242, place)


@given(nonces, sizes)
def test_a_query_has_the_size_asked_for_and_carries_its_nonce(nonce: bytes, size: int) -> None:
    data = _query(nonce, size)
    assert len(data) == size
    assert wire.decode(data) == wire.Message(wire.QUERY, nonce, intact=True)
    assert wire.announced_size(data) == size


@given(nonces, sizes, addresses, places)
def test_an_answer_tells_what_the_server_saw(
    nonce: bytes, size: int, source: IPv4Address | IPv6Address, place: bytes
) -> None:
    data = _answer(nonce, size, source, place)
    message = wire.decode(data)
    assert message is not None
    assert message == wire.Message(wire.ANSWER, nonce, True, source, 4242, place.decode(), False)  # noqa: FBT003
    assert len(data) == max(size, len(data)) == wire.announced_size(data)


@given(nonces, st.integers(200, 3000), addresses)
def test_an_answer_is_as_long_as_its_query(nonce: bytes, size: int, source: IPv4Address | IPv6Address) -> None:
    assert len(_answer(nonce, size, source, b"east/l3conf-probes/probe-east-1")) == size


@given(st.data(), nonces, st.integers(wire.MIN_SIZE, 300))
def test_no_changed_bit_goes_unnoticed(data: st.DataObject, nonce: bytes, size: int) -> None:
    for whole in (_query(nonce, size), _answer(nonce, size, IPv4Address("10.1.0.2"), b"east/ns/pod")):
        position = data.draw(st.integers(0, len(whole) * 8 - 1))
        changed = bytearray(whole)
        changed[position // 8] ^= 1 << position % 8
        message = wire.decode(changed)
        assert message is None or not message.intact


@given(st.data(), nonces, st.integers(wire.MIN_SIZE, 300))
def test_no_truncation_or_appended_byte_goes_unnoticed(data: st.DataObject, nonce: bytes, size: int) -> None:
    for whole in (_query(nonce, size), _answer(nonce, size, IPv6Address("fd00::2"), b"east/ns/pod")):
        shorter = wire.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
        assert shorter is None or not shorter.intact
        longer = wire.decode(whole + data.draw(st.binary(min_size=1, max_size=50)))
        assert longer is not None
        assert not longer.intact


@given(nonces, nonces, st.integers(100, 3000))
def test_halves_of_two_probes_do_not_make_one(first: bytes, second: bytes, size: int) -> None:
    one, other = _query(first, size), _query(second, size)
    message = wire.decode(one[:64] + other[64:])
    assert message is not None
    assert message.intact == (one[64:] == other[64:])


@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    assert wire.decode(data) is None
    assert wire.nonce_of(data) is None


@given(st.binary(max_size=200))
def test_bytes_that_start_like_a_probe_never_crash_the_codec(tail: bytes) -> None:
    data = b"L3cp\x01\x02" + tail
    message = wire.decode(data)
    assert message is None or not message.intact
    try:
        size = wire.announced_size(data)
    except wire.NotAProbeError:
        return
    assert size is None or wire.HEAD_SIZE <= size <= wire.MAX_SIZE


@given(nonces, st.integers(0, 60))
def test_the_nonce_is_readable_in_what_an_icmp_error_quotes(nonce: bytes, quoted: int) -> None:
    expected = nonce if quoted >= 16 else None
    assert wire.nonce_of(_query(nonce, 60)[:quoted]) == expected


@given(st.binary(min_size=1, max_size=40).filter(lambda data: data[:5] != b"L3cp\x01"[: len(data)]))
def test_a_foreign_stream_is_refused_at_its_first_wrong_byte(data: bytes) -> None:
    with pytest.raises(wire.NotAProbeError):
        wire.announced_size(data)


def test_a_stream_that_announces_too_much_is_refused() -> None:
    data = bytearray(_query(b"12345678", 64))
    data[16:20] = b"\xff\xff\xff\xff"
    with pytest.raises(wire.NotAProbeError, match="4294967295"):
        wire.announced_size(data)


def test_an_answer_says_when_the_query_arrived_damaged() -> None:
    damaged = wire.decode(_query(b"12345678", 64)[:-1])
    assert damaged is not None
    answer = wire.decode(wire.encode_answer(damaged, 64, "10.0.0.1", 1, b"p"))
    assert answer is not None
    assert answer.intact
    assert answer.query_damaged


@pytest.mark.parametrize("size", [0, wire.MIN_SIZE - 1, wire.MAX_SIZE + 1])
def test_a_query_of_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        wire.encode_query(b"12345678", size)
