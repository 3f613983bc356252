"""Tunnels as they look on the wire, by the names that Endpoints give to cable drivers. Pure.

Nothing that an implementation says of itself is asked: a packet is recognised by the header that the technology's
specification puts in front of what it carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.capture.packets import UDP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.capture.packets import Packet

ESP = 50
_ESP_IN_UDP = 4500
"""Port of RFC 3948."""
_VXLAN_HEADER = 8
_ETHERTYPE = slice(_VXLAN_HEADER + 12, _VXLAN_HEADER + 14)
_IP = frozenset({b"\x08\x00", b"\x86\xdd"})
_WIREGUARD_DATA = b"\x04\0\0\0"
_WIREGUARD_LEAST = 32
_WIREGUARD_BLOCK = 16
_NO_SPI = bytes(4)


def _is_vxlan(packet: Packet) -> bool:
    """RFC 7348 section 5: only the flag I is set, what is reserved is zero, an Ethernet frame with IP follows."""
    head = packet.payload[:_VXLAN_HEADER]
    return (
        packet.protocol == UDP and head[:4] == b"\x08\0\0\0" and head[7:] == b"\0" and packet.payload[_ETHERTYPE] in _IP
    )


def _is_wireguard(packet: Packet) -> bool:
    """Section 5.4.6 of the WireGuard paper: message type 4, and with its tag a multiple of 16 bytes."""
    return (
        packet.protocol == UDP
        and packet.payload.startswith(_WIREGUARD_DATA)
        and len(packet.payload) >= _WIREGUARD_LEAST
        and not len(packet.payload) % _WIREGUARD_BLOCK
    )


def _is_esp(packet: Packet) -> bool:
    """RFC 4303, or RFC 3948 section 2.1: in UDP, where IKE has four zero bytes, there is an SPI."""
    if packet.protocol == ESP:
        return True
    in_udp = packet.protocol == UDP and _ESP_IN_UDP in {packet.source_port, packet.destination_port}
    return in_udp and packet.payload[:4] != _NO_SPI and not _is_vxlan(packet) and not _is_wireguard(packet)


RECOGNISED: Mapping[str, Callable[[Packet], bool]] = {
    "vxlan": _is_vxlan,
    "wireguard": _is_wireguard,
    "libreswan": _is_esp,
}


def technology_of(packet: Packet) -> str:
    """Return the cable driver whose tunnels look like this packet; "" if it looks like none that is known."""
    return next((name for name, is_one in RECOGNISED.items() if is_one(packet)), "")
