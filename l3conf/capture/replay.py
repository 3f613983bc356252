"""Captured frames as packets to send again: what an eavesdropper can do with what it heard. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, BinaryIO

from l3conf.capture.pcap import read_pcap

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = 14
_IP = {b"\x08\x00", b"\x86\xdd"}


def _every_packet(_packet: bytes) -> bool:
    return True


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
