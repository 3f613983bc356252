"""Captured frames as packets to send again: what an eavesdropper can do with what it heard. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, BinaryIO

from l3conf.capture.pcap import read_pcap
from l3conf.probes.packets import checksum

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = 14
_IPV4_VERSION, _IPV6_HEADER, _UDP, _UDP_HEADER = 4, 40, 17, 8
_FRAGMENT = 0x3FFF
"""IPv4: more fragments, or an offset (RFC 791)."""
_IP = {b"\x08\x00", b"\x86\xdd"}


def _every_packet(_packet: bytes) -> bool:
    return True


def with_udp_checksum(packet: bytes) -> bytes:
    """Return a packet whose UDP checksum is right, as it would have been on a real wire; others unchanged.

    Frames that never left a machine are captured before their checksum is filled in, and their copies would be dropped
    for that alone. Fragments stay as they are: the checksum covers what the others hold.
    """
    version = packet[0] >> 4
    start = (packet[0] & 0x0F) * 4 if version == _IPV4_VERSION else _IPV6_HEADER
    fragmented = version == _IPV4_VERSION and int.from_bytes(packet[6:8], "big") & _FRAGMENT
    if packet[9 if version == _IPV4_VERSION else 6] != _UDP or fragmented or len(packet) < start + _UDP_HEADER:
        return packet
    addresses = packet[12:20] if version == _IPV4_VERSION else packet[8:40]
    datagram = packet[start : start + 6] + b"\0\0" + packet[start + _UDP_HEADER :]
    total = checksum(addresses + len(datagram).to_bytes(4, "big") + _UDP.to_bytes(4, "big") + datagram) or 0xFFFF
    return packet[: start + 6] + total.to_bytes(2, "big") + packet[start + _UDP_HEADER :]


def captured_packets(
    stream: BinaryIO, *, first: int = 0, last: int | None = None, chosen: Callable[[bytes], bool] = _every_packet
) -> list[bytes]:
    """Return the IP packets among frames ``first`` to ``last`` (from 0, the last excluded) of a capture, unchanged.

    Frames of other protocols, and frames that the capture cut off, cannot be sent again and are left out.
    ``chosen`` picks by the packet. ``Lab.inject`` takes the result. Errors as of ``read_pcap``.
    """
    packets = []
    for frame in itertools.islice(read_pcap(stream), first, last):
        whole = len(frame.data) == frame.original_length
        if whole and frame.data[12:_HEADER] in _IP and chosen(frame.data[_HEADER:]):
            packets.append(frame.data[_HEADER:])
    return packets
