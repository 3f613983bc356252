"""Netlink attributes: type-length-value triples padded to four bytes (linux/netlink.h, ``struct nlattr``).

Packed with ``struct``: 0.005 ms a link message, against 0.2 ms through pyroute2's message classes (ADR 0005).
"""

from __future__ import annotations

import struct

NESTED = 0x8000
"""NLA_F_NESTED"""

_HEADER = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_U32_ATTRIBUTE = struct.Struct("=HHI")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def attribute(kind: int, payload: bytes) -> bytes:
    """Encode one attribute with its padding."""
    length = len(payload)
    return _HEADER.pack(length + 4, kind) + payload + _PADDING[length & 3]


def u32(kind: int, value: int) -> bytes:
    """Encode an unsigned 32-bit attribute in host byte order."""
    return _U32_ATTRIBUTE.pack(8, kind, value)


def u64(kind: int, value: int) -> bytes:
    """Encode an unsigned 64-bit attribute in host byte order."""
    return attribute(kind, _U64.pack(value))


def text(kind: int, value: str) -> bytes:
    """Encode a string with its terminating zero."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *parts: bytes) -> bytes:
    """Encode attributes inside an attribute; ``parts`` may begin with a fixed header."""
    return attribute(kind | NESTED, b"".join(parts))


def parse(data: bytes) -> dict[int, bytes]:
    """Split attributes by kind (flags removed); the last of a kind wins. Stops at a truncated one."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found
