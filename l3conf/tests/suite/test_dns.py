from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.model.topology import IPFamily
from l3conf.plugin.dns import addresses, query


def answer(*found: str, compressed: bool = True) -> bytes:
    """Return an answer to a query for probe.svc, with one CNAME in front of the A records."""
    asked = query("probe.svc")
    name = b"\xc0\x0c" if compressed else b"\x05probe\x03svc\x00"
    alias = name + struct.pack("!HHIH", 5, 1, 30, 2) + b"\xc0\x0c"
    records = b"".join(name + struct.pack("!HHIH", 1, 1, 30, 4) + IPv4Address(one).packed for one in found)
    return struct.pack("!HHHHHH", 1, 0x8180, 1, 1 + len(found), 0, 0) + asked[12:] + alias + records


@pytest.mark.parametrize("compressed", [True, False])
def test_a_records_are_read_in_any_spelling_of_their_names(*, compressed: bool) -> None:
    found = addresses(answer("10.101.0.12", "10.101.0.11", compressed=compressed))
    assert found == [IPv4Address("10.101.0.11"), IPv4Address("10.101.0.12")]


def test_ipv6_addresses_are_asked_for_and_read() -> None:
    asked = query("probe.svc", IPFamily.IPV6)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 30, 16) + IPv6Address("fd11:1::c").packed
    message = struct.pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + asked[12:] + record
    assert asked[-4:] == b"\x00\x1c\x00\x01"
    assert addresses(message) == [IPv6Address("fd11:1::c")]


def test_a_query_has_one_question_with_length_prefixed_labels() -> None:
    assert query("probe.svc.")[12:] == b"\x05probe\x03svc\x00\x00\x01\x00\x01"


@given(st.binary(max_size=64))
def test_noise_is_refused_or_has_no_address_beyond_itself(noise: bytes) -> None:
    try:
        found = addresses(noise)
    except (ValueError, IndexError, struct.error):
        return
    assert len(found) * 4 <= len(noise)
