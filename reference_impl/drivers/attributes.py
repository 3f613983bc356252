"""Attributes of netlink messages, packed and taken apart by hand (linux/netlink.h, ``struct nlattr``)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct("=HH")
"""``nla_len`` and ``nla_type``."""
NESTED = 0x8000
"""``NLA_F_NESTED``."""
_TYPE = 0x3FFF


def attributes(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, beginning and end of the value of every attribute between two offsets."""
    while start + HEADER.size <= end:
        length, kind = HEADER.unpack_from(message, start)
        yield kind & _TYPE, start + HEADER.size, max(start + HEADER.size, min(start + length, end))
        start += max(HEADER.size, (length + 3) & ~3)


def values(message: bytes, start: int, end: int) -> dict[int, bytes]:
    """Return the values of the attributes between two offsets, by type."""
    return {kind: message[first:last] for kind, first, last in attributes(message, start, end)}


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute of netlink, padded."""
    size = HEADER.size + len(value)
    return HEADER.pack(size, kind) + value + bytes(-size % 4)


def nested(kind: int, value: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NESTED, value)
