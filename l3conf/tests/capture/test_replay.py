"""What was captured can be sent again as it was."""

from __future__ import annotations

import io
import struct
from ipaddress import ip_address

import pytest

from l3conf.capture.pcap import file_header, record_header
from l3conf.capture.replay import captured_packets, with_udp_checksum
from l3conf.probes.packets import udp_packet

MACS = bytes(12)
IPV4, IPV6, ARP = (struct.pack(">H", kind) for kind in (0x0800, 0x86DD, 0x0806))


def capture(*frames: bytes, missing: int = 0) -> io.BytesIO:
    records = [record_header(0, 0, len(frame), len(frame) + missing) + frame for frame in frames]
    return io.BytesIO(file_header() + b"".join(records))


def test_packets_come_without_their_link_header_and_in_order() -> None:
    stream = capture(MACS + IPV4 + b"one", MACS + ARP + b"who", MACS + IPV6 + b"two")
    assert captured_packets(stream) == [b"one", b"two"]


def test_a_range_of_frames_and_a_choice_of_packets_can_be_taken() -> None:
    frames = [MACS + IPV4 + bytes([number]) for number in range(5)]
    assert captured_packets(capture(*frames), first=1, last=4) == [b"\x01", b"\x02", b"\x03"]
    assert captured_packets(capture(*frames), chosen=lambda packet: packet[0] % 2 == 1) == [b"\x01", b"\x03"]


def test_what_the_capture_cut_off_is_left_out() -> None:
    assert captured_packets(capture(MACS + IPV4 + b"half", missing=1)) == []


@pytest.mark.parametrize(("here", "there"), [("192.0.2.3", "10.1.0.3"), ("2001:db8::3", "fd10:1::3")])
def test_a_copy_has_the_checksum_that_a_wire_would_have_shown(here: str, there: str) -> None:
    whole = udp_packet(ip_address(here), ip_address(there), 7100, b"payload", ttl=None)
    start = len(whole) - len(b"payload") - 8
    unfilled = whole[: start + 6] + b"\x12\x34" + whole[start + 8 :]
    assert with_udp_checksum(unfilled) == with_udp_checksum(whole) == whole


def test_what_is_no_udp_and_what_is_a_fragment_stays_as_it_is() -> None:
    whole = udp_packet(ip_address("192.0.2.3"), ip_address("10.1.0.3"), 7100, b"payload", ttl=None)
    fragment = whole[:6] + b"\x20\x00" + whole[8:26] + b"\x12\x34" + whole[28:]
    tcp = whole[:9] + b"\x06" + whole[10:26] + b"\x12\x34" + whole[28:]
    assert with_udp_checksum(fragment) == fragment
    assert with_udp_checksum(tcp) == tcp
