"""Tunnel packets within tunnel packets, as far as a capture can tell.

Where tunnels are clear, the inner packet shows: its header holds the addresses of two gateways. Where they are not, its
size does: flows of one known size cross, and one wrapping adds less than two do. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.capture.packets import Packet
    from l3conf.model.topology import IPAddress

LARGEST_WRAPPING = 110
"""Bytes: outer IPv6 (40), UDP (8), and ESP or WireGuard with all padding (at most 60). Of what cannot be read, two take
at least 120: WireGuard over IPv4 takes 60."""


def nested(packets: Iterable[Packet], pairs: Iterable[tuple[IPAddress, IPAddress]], size: int) -> list[str]:
    """Return a line for every packet between sites that is wrapped twice.

    ``pairs`` are addresses of gateways that have a tunnel; ``size`` is the length of the flows' IP packets, the
    largest that cross. ``LabError`` if none crosses: then nothing can be told.
    """
    crossing = tuple(packets)
    if not any(len(packet.data) >= size for packet in crossing):
        raise LabError(f"no packet of {size} bytes or more crosses the WAN", where="wan")
    headers = [one.packed + other.packed for pair in pairs for one, other in (pair, pair[::-1])]
    return [
        str(packet)
        for packet in crossing
        if len(packet.data) > size + LARGEST_WRAPPING or any(header in packet.payload for header in headers)
    ]
