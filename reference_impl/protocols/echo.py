"""ICMP echo (RFC 792, RFC 4443), as far as a health check needs it: request out, reply recognised.

A reply counts only if it carries the nonce of the process that asked: several agents on one node share the
identifier space, and a raw socket sees everybody's replies.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHHH")
NONCE_LENGTH = 8
_ECHO = {4: (8, 0), 6: (128, 129)}
_MINIMUM_IPV4_HEADER = 20


@dataclass(frozen=True, slots=True)
class EchoReply:
    """A reply to one of our own requests."""

    identifier: int
    sequence: int


def echo_request(version: int, identifier: int, sequence: int, nonce: bytes) -> bytes:
    """Return an echo request. The kernel fills in the ICMPv6 checksum, so that one stays 0."""
    kind = _ECHO[version][0]
    body = _HEADER.pack(kind, 0, 0, identifier, sequence) + nonce
    if version == 6:  # noqa: PLR2004 - the IP version number
        return body
    return _HEADER.pack(kind, 0, checksum(body), identifier, sequence) + nonce


def parse_reply(version: int, packet: bytes, nonce: bytes) -> EchoReply | None:
    """Return the reply in what a raw socket received (IPv4: with IP header), None if it is not ours."""
    if version == 4:  # noqa: PLR2004 - the IP version number
        if len(packet) < _MINIMUM_IPV4_HEADER:
            return None
        packet = packet[(packet[0] & 0x0F) * 4 :]
    if len(packet) < _HEADER.size + NONCE_LENGTH:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(packet)
    ours = packet[_HEADER.size : _HEADER.size + NONCE_LENGTH] == nonce
    if (kind, code) != (_ECHO[version][1], 0) or not ours:
        return None
    return EchoReply(identifier, sequence)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
