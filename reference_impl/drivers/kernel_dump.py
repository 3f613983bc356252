"""Dumps of routes and rules whose messages are decoded once: what the kernel says again means the same again.

A thousand prefixes are some thousand messages. pyroute2 decodes one in 0.1 ms; looking a known one up by its bytes
takes a hundredth of that. The kernel itself leaves out other tables and protocols where it can
(``NETLINK_GET_STRICT_CHK``, Linux 4.20); the decoder looks at them all the same.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

GET_ROUTE, GET_RULE = 26, 34
"""``RTM_GETROUTE``, ``RTM_GETRULE`` (linux/rtnetlink.h)."""
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12
_REQUEST_AND_DUMP = 0x301
_DUMP_INTERRUPTED = 0x10
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_ERRNO = struct.Struct("=i")
_BODY = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_BUFFER = 1 << 16
_PATIENCE = 5.0
"""Seconds that the kernel may take to answer."""
_TRIES = 5
"""Dumps that a change may spoil; the last one counts as it is, and the next step looks again."""


class Dumps:
    """A route netlink socket that only ever dumps. Belongs to the namespace and thread that opened it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0
        with suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)

    def messages(self, kind: int, family: int, *, table: int = 0, protocol: int = 0) -> list[bytes]:
        """Return all messages of a dump, each with its header. ``OSError`` if the kernel refuses."""
        for _ in range(_TRIES):
            self._sequence += 1
            header = _HEADER.pack(_HEADER.size + _BODY.size, kind, _REQUEST_AND_DUMP, self._sequence, 0)
            self._socket.send(header + _BODY.pack(family, 0, 0, 0, table, protocol, 0, 0, 0))
            found, whole = self._answer()
            if whole:
                break
        return found

    def _answer(self) -> tuple[list[bytes], bool]:
        """Read one dump; say as well whether nothing changed meanwhile (``NLM_F_DUMP_INTR``)."""
        found: list[bytes] = []
        whole = True
        while True:
            for kind, flags, sequence, message in _split(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue  # the rest of a dump that timed out
                whole = whole and not flags & _DUMP_INTERRUPTED
                if kind == _DONE:
                    return found, whole
                if kind == _ERROR:
                    number = -_ERRNO.unpack_from(message, _HEADER.size)[0]
                    raise OSError(number, os.strerror(number))
                found.append(message)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()


def _split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, flags, sequence number and bytes of every message."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, sequence, data[offset : offset + length]
        offset += max(_HEADER.size, (length + 3) & ~3)


class Decoded(Generic[T]):
    """Values of messages, remembered from one dump to the next by their bytes without the header."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[T, ...]] = {}

    def values(self, messages: Iterable[bytes], decode: Callable[[bytes], tuple[T, ...]]) -> frozenset[T]:
        """Return what all messages mean; forget those that were not said again."""
        known, self._known = self._known, {}
        for message in messages:
            body = message[_HEADER.size :]
            found = known.get(body)
            self._known[body] = decode(message) if found is None else found
        return frozenset(value for values in self._known.values() for value in values)
