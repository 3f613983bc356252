"""Headers that the engine writes itself: ICMP echo, and UDP in IP with a source of one's choice. Pure."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

_ECHO = struct.Struct("!BBHHH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_UDP = struct.Struct("!HHHH")
ECHO_HEADER = _ECHO.size
_DEFAULT_TTL = 64
_UDP_NUMBER = 17
_IPV4_VERSION = 4
_IPV6_VERSION = 6


class EchoHeader(NamedTuple):
    """Identity of an ICMP echo: type, identifier, sequence number (RFC 792, RFC 4443)."""

    kind: int
    identifier: int
    sequence: int


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    words = array("H", data if len(data) % 2 == 0 else data + b"\0")
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return struct.unpack("=H", struct.pack("!H", ~total & 0xFFFF))[0]  # type: ignore[no-any-return]


def echo(kind: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an ICMP echo message, checksum included (of no use to ICMPv6, whose checksum the kernel makes)."""
    bare = _ECHO.pack(kind, 0, 0, identifier, sequence) + payload
    return _ECHO.pack(kind, 0, checksum(bare), identifier, sequence) + payload


def echo_header(data: bytes) -> EchoHeader | None:
    """Read the header of an ICMP echo message, or of the eight bytes of one that an error quotes."""
    if len(data) < ECHO_HEADER:
        return None
    kind, code, _, identifier, sequence = _ECHO.unpack_from(data)
    return EchoHeader(kind, identifier, sequence) if code == 0 else None


def ipv4_payload(packet: bytes) -> bytes:
    """Return what follows the IPv4 header, as raw sockets deliver it; empty if there is none."""
    return packet[(packet[0] & 0x0F) * 4 :] if packet else b""


def udp_packet(source: IPAddress, destination: IPAddress, port: int, payload: bytes, *, ttl: int | None) -> bytes:
    """Return a complete IP packet from any ``source`` and UDP ``port`` to the same port of ``destination``."""
    length = _UDP.size + len(payload)
    pseudo = source.packed + destination.packed + struct.pack("!II", length, _UDP_NUMBER)
    total = checksum(pseudo + _UDP.pack(port, port, length, 0) + payload)
    datagram = _UDP.pack(port, port, length, total or 0xFFFF) + payload
    hops = ttl or _DEFAULT_TTL
    if source.version == _IPV6_VERSION:
        return _IPV6.pack(6 << 28, length, _UDP_NUMBER, hops, source.packed, destination.packed) + datagram
    # A raw socket's kernel would fill in length and checksum (raw(7)), a device takes the packet as it is.
    head = (0x45, 0, 20 + length, 0, 0, hops, _UDP_NUMBER)
    total = checksum(_IPV4.pack(*head, 0, source.packed, destination.packed))
    return _IPV4.pack(*head, total, source.packed, destination.packed) + datagram


def destination_of(packet: bytes) -> tuple[int, bytes]:
    """Return IP version and packed destination of a complete packet; ``ValueError`` if it is none."""
    version = packet[0] >> 4 if packet else 0
    if version == _IPV4_VERSION and len(packet) >= _IPV4.size:
        return version, packet[16:20]
    if version == _IPV6_VERSION and len(packet) >= _IPV6.size:
        return version, packet[24:40]
    raise ValueError(f"{len(packet)} bytes that are no IP packet")
