"""One question over SCTP, and its answer: as much of RFC 9260 as that takes. Sans-IO.

::

    client                                server
      INIT                            →
                                      ←   INIT ACK, with a state cookie
      COOKIE ECHO, DATA (the query)   →
                                      ←   COOKIE ACK, SACK, DATA (the answer)
      SACK, ABORT                     →

For places whose kernel has no SCTP sockets: packets, checksums and verification tags on the wire are those of SCTP, so
whatever filters, translates or tracks it on the way is met as by any other association. Nothing is sent again: one lost
packet is one lost probe, as with the other datagrams. The server keeps no state; what it has to know comes back in the
cookie, with a proof that it made it (section 5.1.3).
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

NUMBER = 132
"""IP protocol."""
DATA, INIT, INIT_ACK, SACK, ABORT, COOKIE_ECHO, COOKIE_ACK = 0, 1, 2, 3, 6, 10, 11
"""Chunk types (section 3.2)."""
_STATE_COOKIE = 7
_WHOLE_MESSAGE = 0x03
"""Flags of DATA: first and last fragment."""
_COMMON = struct.Struct("!HHI")
_PORTS = struct.Struct("!HH")
_CHECKSUM = struct.Struct("<I")
"""The CRC goes out with its bytes reversed (appendix A)."""
_CHUNK = struct.Struct("!BBH")
_INIT = struct.Struct("!IIHHI")
_DATA = struct.Struct("!IHHI")
_SACK = struct.Struct("!IIHH")
_COOKIE = struct.Struct("!III")
_PROOF = 16
_HEADER = _COMMON.size + _CHECKSUM.size
_WINDOW = 1 << 16
LARGEST = 65000
"""Bytes of payload that fit one DATA chunk in one IP packet, with all that goes along."""


class Chunk(NamedTuple):
    """One chunk, without its padding."""

    kind: int
    flags: int
    value: bytes


class Packet(NamedTuple):
    """One packet whose checksum was right."""

    source_port: int
    destination_port: int
    tag: int
    chunks: tuple[Chunk, ...]

    def first(self, kind: int) -> Chunk | None:
        """Return the first chunk of a type."""
        return next((chunk for chunk in self.chunks if chunk.kind == kind), None)


def encode(packet: Packet) -> bytes:
    """Return a packet as it is sent."""
    body = b"".join(_encode_chunk(chunk) for chunk in packet.chunks)
    head = _COMMON.pack(packet.source_port, packet.destination_port, packet.tag)
    return head + _CHECKSUM.pack(crc32c(head + bytes(_CHECKSUM.size) + body)) + body


def decode(data: bytes) -> Packet | None:
    """Read a packet; None if it is cut short or its checksum is wrong. Never raises."""
    if len(data) < _HEADER:
        return None
    head, (checksum,), body = data[: _COMMON.size], _CHECKSUM.unpack_from(data, _COMMON.size), data[_HEADER:]
    chunks = _chunks(body)
    if chunks is None or crc32c(head + bytes(_CHECKSUM.size) + body) != checksum:
        return None
    source_port, destination_port, tag = _COMMON.unpack(head)
    return Packet(source_port, destination_port, tag, chunks)


def ports_of(start: bytes) -> tuple[int, int] | None:
    """Return source and destination port of the first bytes of a packet, such as an ICMP error quotes."""
    if len(start) < _PORTS.size:
        return None
    source_port, destination_port = _PORTS.unpack_from(start)
    return source_port, destination_port


def _random_tag() -> int:
    """Return a verification tag; zero means INIT."""
    return int.from_bytes(os.urandom(4), "big") or 1


@dataclass(slots=True)
class Association:
    """The client's side of one question."""

    port: int
    """Our own."""
    destination_port: int
    query: bytes
    tag: int = field(default_factory=_random_tag)
    _peer_tag: int = 0
    """0: not accepted yet."""

    def init(self) -> bytes:
        """Return the first packet."""
        value = _INIT.pack(self.tag, _WINDOW, 1, 1, self.tag)
        return encode(Packet(self.port, self.destination_port, 0, (Chunk(INIT, 0, value),)))

    def receive(self, packet: Packet) -> tuple[bytes | None, bytes | None]:
        """Take a packet for our port; return what to send now, and the answer if it was in there.

        What is not ours, by its tag (section 8.5), or not due is taken for nothing.
        """
        if packet.tag != self.tag or packet.source_port != self.destination_port:
            return None, None
        accepted = packet.first(INIT_ACK)
        if accepted is not None and len(packet.chunks) == 1 and not self._peer_tag:
            return self._echo(accepted), None
        data = packet.first(DATA)
        if data is None or len(data.value) < _DATA.size or not self._peer_tag:
            return None, None
        sack = Chunk(SACK, 0, _SACK.pack(_DATA.unpack_from(data.value)[0], _WINDOW, 0, 0))
        return self._packet(sack, Chunk(ABORT, 0, b"")), data.value[_DATA.size :]

    def _echo(self, accepted: Chunk) -> bytes | None:
        cookie = _cookie_of(accepted.value)
        if cookie is None or len(accepted.value) < _INIT.size:
            return None
        self._peer_tag = _INIT.unpack_from(accepted.value)[0]
        return self._packet(Chunk(COOKIE_ECHO, 0, cookie), _data(self.tag, self.query))

    def _packet(self, *chunks: Chunk) -> bytes:
        return encode(Packet(self.port, self.destination_port, self._peer_tag, chunks))


class Responder:
    """The server's side of all questions at one port."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)

    def accept(self, packet: Packet, source: str) -> bytes | None:
        """Return the answer to an INIT from an address; None if it is none."""
        asked = packet.first(INIT)
        if asked is None or len(packet.chunks) != 1 or packet.tag != 0 or len(asked.value) < _INIT.size:
            return None
        client_tag, _, _, _, client_number = _INIT.unpack_from(asked.value)
        if client_tag == 0:
            return None
        tag = _random_tag()
        state = _COOKIE.pack(client_tag, tag, client_number)
        cookie = state + self._proof(state, source, packet.source_port)
        parameter = struct.pack("!HH", _STATE_COOKIE, 4 + len(cookie)) + cookie
        value = _INIT.pack(tag, _WINDOW, 1, 1, tag) + parameter
        return self._reply(packet, client_tag, Chunk(INIT_ACK, 0, value))

    def query(self, packet: Packet, source: str) -> bytes | None:
        """Return the query in a packet whose cookie we made for this very peer; None if there is none."""
        echoed, data = packet.first(COOKIE_ECHO), packet.first(DATA)
        state = self._state(packet, source, echoed)
        return data.value[_DATA.size :] if state is not None and data is not None else None

    def answer(self, packet: Packet, source: str, payload: bytes) -> bytes:
        """Return the answer to a packet that ``query`` found a query in."""
        client_tag, tag, number = self._state(packet, source, packet.first(COOKIE_ECHO)) or (0, 0, 0)
        sack = Chunk(SACK, 0, _SACK.pack(number, _WINDOW, 0, 0))
        return self._reply(packet, client_tag, Chunk(COOKIE_ACK, 0, b""), sack, _data(tag, payload))

    def _state(self, packet: Packet, source: str, echoed: Chunk | None) -> tuple[int, int, int] | None:
        if echoed is None or len(echoed.value) != _COOKIE.size + _PROOF:
            return None
        state, proof = echoed.value[: _COOKIE.size], echoed.value[_COOKIE.size :]
        if not hmac.compare_digest(proof, self._proof(state, source, packet.source_port)):
            return None
        client_tag, tag, number = _COOKIE.unpack(state)
        return (client_tag, tag, number) if packet.tag == tag else None

    def _proof(self, state: bytes, source: str, port: int) -> bytes:
        return hmac.digest(self._secret, state + f"{source} {port}".encode(), "sha256")[:_PROOF]

    @staticmethod
    def _reply(packet: Packet, tag: int, *chunks: Chunk) -> bytes:
        return encode(Packet(packet.destination_port, packet.source_port, tag, chunks))


def _data(number: int, payload: bytes) -> Chunk:
    """Return a whole message, the first of stream 0."""
    return Chunk(DATA, _WHOLE_MESSAGE, _DATA.pack(number, 0, 0, 0) + payload)


def _cookie_of(value: bytes) -> bytes | None:
    """Return the state cookie of an INIT ACK."""
    rest = value[_INIT.size :]
    while len(rest) >= _CHUNK.size:
        kind, length = struct.unpack_from("!HH", rest)
        if length < 4:  # noqa: PLR2004 - a parameter's own header
            return None
        if kind == _STATE_COOKIE:
            return rest[4:length]
        rest = rest[length + -length % 4 :]
    return None


def _encode_chunk(chunk: Chunk) -> bytes:
    length = _CHUNK.size + len(chunk.value)
    return _CHUNK.pack(chunk.kind, chunk.flags, length) + chunk.value + bytes(-length % 4)


def _chunks(body: bytes) -> tuple[Chunk, ...] | None:
    found = []
    while body:
        if len(body) < _CHUNK.size:
            return None
        kind, flags, length = _CHUNK.unpack_from(body)
        if not _CHUNK.size <= length <= len(body):
            return None
        found.append(Chunk(kind, flags, body[_CHUNK.size : length]))
        body = body[length + -length % 4 :]
    return tuple(found)


def _table() -> tuple[int, ...]:
    """Return the CRC32c (Castagnoli) of every octet, reflected."""
    entries = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Return the checksum of RFC 9260, appendix A."""
    value = 0xFFFFFFFF
    for octet in data:
        value = value >> 8 ^ _TABLE[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
