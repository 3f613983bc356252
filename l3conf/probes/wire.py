"""Payloads of probes: a query and its answer, the same over UDP, TCP and ICMP echo. Sans-IO.

::

    head      magic 4 | version 1 | kind 1 | flags 2 | nonce 8 | length 4 | crc32 4           (24 bytes)
    answer    head | family 1 | pad 1 | port 2 | place length 2 | source address 16 | place | filler
    query     head | filler
    numbered  head | number 8 | filler       one of a flow (``continuity``), never answered; the nonce is the flow's

Numbers are in network byte order. ``length`` is that of the whole message, so that a stream can be cut into
messages and a truncated datagram is noticed; ``crc32`` covers everything but itself. The filler hangs on the
nonce: fragments of two probes of the same size cannot be mistaken for one another.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

PORT = 7100
"""UDP and TCP port on which probe servers listen."""
NONCE_SIZE = 8
MAX_SIZE = 1 << 24
"""Largest message in bytes: bounds what a server buffers for one connection."""
MAX_PLACE = 512
"""Bytes: two labels of 63, a pod name of 253 and two slashes fit."""

QUERY = 1
ANSWER = 2
NUMBERED = 3
_KINDS = frozenset({QUERY, ANSWER, NUMBERED})
FLAG_QUERY_DAMAGED = 1
"""In an answer: the query arrived with this nonce, but not intact."""

_MAGIC = b"L3cp\x01"
"""Magic and version."""
_START = struct.Struct("!5sBH8sI")
_CRC = struct.Struct("!I")
_HEAD = struct.Struct("!5sBH8sII")
_REPORT = struct.Struct("!BxHH16s")
_NUMBER = struct.Struct("!Q")

HEAD_SIZE = _HEAD.size
MIN_SIZE = HEAD_SIZE
"""Smallest query. The answer is as long as the query, or as long as its own head and place if that is more."""


class NotAProbeError(ValueError):
    """A stream that does not start as a probe does."""


class Message(NamedTuple):
    """A query or answer as received. A tuple and not a dataclass: one is made for every packet."""

    kind: int
    """``QUERY``, ``ANSWER`` or ``NUMBERED``."""
    nonce: bytes
    intact: bool
    """Whether length and checksum hold. If not, the fields below say nothing."""
    source: IPAddress | None = None
    """Answers: the source address of the query as the server saw it."""
    port: int = 0
    """Answers: the source port of the query as the server saw it."""
    place: str = ""
    """Answers: identity of the server."""
    query_damaged: bool = False
    """Answers: the server got the query damaged."""


def encode_query(nonce: bytes, size: int) -> bytes:
    """Return a query of ``size`` bytes (``MIN_SIZE`` to ``MAX_SIZE``; ``ValueError`` otherwise)."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"a query has {MIN_SIZE} to {MAX_SIZE} bytes, not {size}")
    return _seal(QUERY, 0, nonce, size, _filler(nonce, size - HEAD_SIZE))


def encode_answer(query: Message, size: int, source: str, port: int, place: bytes) -> bytes:
    """Return the answer to a query of ``size`` bytes that came from ``source`` (numeric) and ``port``."""
    family, address = _packed(source)
    head = _REPORT.pack(family, port, len(place), address) + place
    total = max(size, HEAD_SIZE + len(head))
    flags = 0 if query.intact else FLAG_QUERY_DAMAGED
    return _seal(ANSWER, flags, query.nonce, total, head + _filler(query.nonce, total - HEAD_SIZE - len(head)))


def encode_numbered(flow: bytes, number: int, size: int) -> bytes:
    """Return the datagram of a flow with that number, of ``size`` bytes (``continuity.SMALLEST`` or more)."""
    body = _NUMBER.pack(number)
    return _seal(NUMBERED, 0, flow, size, body + _filler(flow, size - HEAD_SIZE - len(body)))


def number_of(data: bytes | bytearray) -> int:
    """Return the number of an intact numbered datagram."""
    return int(_NUMBER.unpack_from(data, HEAD_SIZE)[0])


def decode(data: bytes | bytearray) -> Message | None:
    """Read one whole message; None if it is not one of ours. Never raises, whatever the bytes are."""
    if len(data) < HEAD_SIZE:
        return None
    magic, kind, flags, nonce, length, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or kind not in _KINDS:
        return None
    intact = length == len(data) and crc32(data[HEAD_SIZE:], crc32(data[: _START.size])) == checksum
    if kind == NUMBERED:
        return Message(kind, nonce, intact and len(data) >= HEAD_SIZE + _NUMBER.size)
    if kind == QUERY or not intact:
        return Message(kind, nonce, intact)
    return _answer(nonce, flags, data)


def nonce_of(start: bytes) -> bytes | None:
    """Return the nonce in the first bytes of a message, such as an ICMP error quotes; None if it is not there."""
    if len(start) < HEAD_SIZE - 2 * _CRC.size or not start.startswith(_MAGIC):
        return None
    return bytes(start[8 : 8 + NONCE_SIZE])


def announced_size(start: bytes | bytearray) -> int | None:
    """Return how long the message at the start of a stream will be; None while its head is incomplete.

    Raises ``NotAProbeError`` as soon as the bytes cannot be the start of a message.
    """
    if not start[: len(_MAGIC)] == _MAGIC[: len(start)]:
        raise NotAProbeError("the stream does not start with a probe's magic number")
    if len(start) < HEAD_SIZE:
        return None
    length: int = _HEAD.unpack_from(start)[4]
    if not HEAD_SIZE <= length <= MAX_SIZE:
        raise NotAProbeError(f"the stream announces a message of {length} bytes")
    return length


def _seal(kind: int, flags: int, nonce: bytes, length: int, body: bytes) -> bytes:
    start = _START.pack(_MAGIC, kind, flags, nonce, length)
    return start + _CRC.pack(crc32(body, crc32(start))) + body


def _answer(nonce: bytes, flags: int, data: bytes | bytearray) -> Message:
    damaged = Message(ANSWER, nonce, intact=False)
    if len(data) < HEAD_SIZE + _REPORT.size:
        return damaged
    family, port, place_size, address = _REPORT.unpack_from(data, HEAD_SIZE)
    place = _place(bytes(data[HEAD_SIZE + _REPORT.size :][:place_size]))
    if family not in (4, 6) or place is None:
        return damaged
    return Message(ANSWER, nonce, True, _unpacked(family, address), port, place, bool(flags & FLAG_QUERY_DAMAGED))  # noqa: FBT003 - keywords would double its cost


@functools.lru_cache(maxsize=1024)
def _place(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


@functools.lru_cache(maxsize=4096)
def _packed(address: str) -> tuple[int, bytes]:
    parsed = ip_address(address.partition("%")[0])
    return parsed.version, parsed.packed.ljust(16, b"\0")


@functools.lru_cache(maxsize=4096)
def _unpacked(family: int, address: bytes) -> IPAddress:
    return IPv4Address(address[:4]) if family == 4 else IPv6Address(address)  # noqa: PLR2004 - the IP version number


_PATTERN = hashlib.shake_128(b"l3conf probe filler").digest((1 << 16) + 256)


def _filler(nonce: bytes, size: int) -> bytes:
    """Return ``size`` bytes that do not compress, do not repeat within 64 KiB, and start where the nonce says."""
    start = nonce[-1]
    if size <= 1 << 16:
        return _PATTERN[start : start + size]
    whole = _PATTERN[start : start + (1 << 16)]
    return (whole * (size // len(whole) + 1))[:size]
