"""What tells a tunnel packet within a tunnel packet from one that is not."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from l3conf.capture.packets import UDP, Packet
from l3conf.errors import LabError
from l3conf.expectations.nesting import LARGEST_WRAPPING, nested

EAST, WEST = ip_address("172.16.1.10"), ip_address("172.16.2.10")
SIZE = 1028


def packet(payload: bytes) -> Packet:
    head = bytes(12) + EAST.packed + WEST.packed + bytes(8)
    return Packet(
        time=0.0, source=EAST, destination=WEST, protocol=UDP, traffic_class=0, payload=payload, data=head + payload
    )


@pytest.mark.parametrize("wrapping", [32, 34, 42, 62, LARGEST_WRAPPING - 28])
def test_one_wrapping_is_no_nesting(wrapping: int) -> None:
    assert nested([packet(bytes(SIZE + wrapping)), packet(b"keepalive")], [(EAST, WEST)], SIZE) == []


def test_what_is_too_large_for_one_wrapping_is_nested() -> None:
    assert len(nested([packet(bytes(SIZE + 2 * 60 - 28))], [(EAST, WEST)], SIZE)) == 1


@pytest.mark.parametrize("inner", [EAST.packed + WEST.packed, WEST.packed + EAST.packed])
def test_the_gateways_addresses_inside_a_packet_are_nested_whatever_its_size(inner: bytes) -> None:
    plain = packet(bytes(SIZE))
    assert nested([plain], [(EAST, WEST)], SIZE) == []
    assert nested([plain, packet(b"vxlan" + inner)], [(WEST, EAST)], SIZE) == [str(packet(b"vxlan" + inner))]


def test_a_capture_without_the_flows_proves_nothing() -> None:
    with pytest.raises(LabError, match="no packet of 1028 bytes"):
        nested([packet(b"small")], [(EAST, WEST)], SIZE)
