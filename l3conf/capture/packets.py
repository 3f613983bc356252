"""Captured frames as IP packets with the fields that judgements ask for. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.capture.pcap import Frame
    from l3conf.model.topology import IPAddress

TCP, UDP = 6, 17
_ETHERNET = 14
_IPV4, _IPV6 = 0x0800, 0x86DD
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_PORTS = struct.Struct("!HH")
_UDP_HEADER = 8
_UDP_CHECKSUM = 6
_TCP_CHECKSUM = 16
_OFFSET_MASK = 0x1FFF
_FRAGMENT_MASK = 0x2000 | _OFFSET_MASK
"""More fragments, or an offset."""
_EXTENSIONS = frozenset({0, 43, 60})
"""IPv6 hop-by-hop options, routing and destination options (RFC 8200): same shape, length in units of 8 octets."""
_FRAGMENT = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One IP packet as it passed."""

    time: float
    """Seconds since the epoch."""
    source: IPAddress
    destination: IPAddress
    protocol: int
    """IANA protocol number: 6 TCP, 17 UDP, 50 ESP."""
    traffic_class: int
    """DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168)."""
    source_port: int = 0
    """0 where the protocol has none, and in fragments but the first; likewise below."""
    destination_port: int = 0
    checksum: int | None = None
    """Of TCP and UDP as it was sent; of UDP 0 means that there is none (RFC 768)."""
    payload: bytes
    """What follows the UDP header; of other protocols, what follows the IP header."""
    data: bytes
    """From the IP header on."""

    @property
    def is_fragment(self) -> bool:
        """Whether it is a part of a larger one: more follow, or it follows others (RFC 791, RFC 8200 section 4.5)."""
        if self.data[0] >> 4 == 4:  # noqa: PLR2004 - the IP version number
            return bool(int.from_bytes(self.data[6:8], "big") & _FRAGMENT_MASK)
        return self.data[6] == _FRAGMENT or any(kind == _FRAGMENT for kind, *_ in _extensions(self.data, self.data[6]))

    def __str__(self) -> str:
        """Return the packet as a message names it."""
        name = {TCP: "tcp", UDP: "udp"}.get(self.protocol, f"protocol {self.protocol}")
        ports = f" ports {self.source_port} > {self.destination_port}" if self.destination_port else ""
        return f"{self.source} -> {self.destination} {name}{ports}, {len(self.data)} bytes"


def packet_of(frame: Frame) -> Packet | None:
    """Return the IP packet in an Ethernet frame; None if it holds no whole one."""
    kind = int.from_bytes(frame.data[_ETHERNET - 2 : _ETHERNET], "big")
    data = frame.data[_ETHERNET:]
    time = frame.nanoseconds / 1e9
    if kind == _IPV4 and len(data) >= _IPV4_HEADER:
        return _ipv4(time, data[: int.from_bytes(data[2:4], "big") or len(data)])
    if kind == _IPV6 and len(data) >= _IPV6_HEADER:
        return _ipv6(time, data[: _IPV6_HEADER + int.from_bytes(data[4:6], "big")])
    return None


def _ipv4(time: float, data: bytes) -> Packet:
    header = (data[0] & 0x0F) * 4
    first = not int.from_bytes(data[6:8], "big") & _OFFSET_MASK
    return _packet(
        time,
        data,
        IPv4Address(data[12:16]),
        IPv4Address(data[16:20]),
        protocol=data[9],
        traffic_class=data[1],
        body=data[header:],
        first=first,
    )


def _ipv6(time: float, data: bytes) -> Packet:
    protocol, at, first = data[6], _IPV6_HEADER, True
    for following, length, offset in _extensions(data, protocol):
        protocol, at, first = following, at + length, first and not offset
    return _packet(
        time,
        data,
        IPv6Address(data[8:24]),
        IPv6Address(data[24:40]),
        protocol=protocol,
        traffic_class=(int.from_bytes(data[:2], "big") >> 4) & 0xFF,
        body=data[at:],
        first=first,
    )


def _extensions(data: bytes, protocol: int) -> Iterator[tuple[int, int, int]]:
    """Yield next header, length in octets and fragment offset of each extension header."""
    at = _IPV6_HEADER
    while protocol in _EXTENSIONS | {_FRAGMENT} and len(data) >= at + 8:
        length = 8 if protocol == _FRAGMENT else 8 * (data[at + 1] + 1)
        offset = int.from_bytes(data[at + 2 : at + 4], "big") >> 3 if protocol == _FRAGMENT else 0
        protocol = data[at]
        yield protocol, length, offset
        at += length


def _packet(
    time: float,
    data: bytes,
    source: IPAddress,
    destination: IPAddress,
    *,
    protocol: int,
    traffic_class: int,
    body: bytes,
    first: bool,
) -> Packet:
    ports, checksum, payload = (0, 0), None, body
    if first and protocol in {TCP, UDP} and len(body) >= _UDP_HEADER:
        ports = _PORTS.unpack_from(body)
        at = _UDP_CHECKSUM if protocol == UDP else _TCP_CHECKSUM
        checksum = int.from_bytes(body[at : at + 2], "big") if len(body) >= at + 2 else None
        payload = body[_UDP_HEADER:] if protocol == UDP else body
    return Packet(
        time=time,
        source=source,
        destination=destination,
        protocol=protocol,
        traffic_class=traffic_class,
        source_port=ports[0],
        destination_port=ports[1],
        checksum=checksum,
        payload=payload,
        data=bytes(data),
    )
