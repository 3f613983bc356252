"""Dumps whose messages are decoded once: what the kernel says again means the same again.

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

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
"""Families of netlink (linux/netlink.h)."""
GET_ROUTE, GET_RULE = 26, 34
"""``RTM_GETROUTE``, ``RTM_GETRULE`` (linux/rtnetlink.h)."""
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12
REQUEST_AND_DUMP, REQUEST_AND_ACKNOWLEDGE = 0x301, 0x5
_DUMP_INTERRUPTED = 0x10
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
HEADER_SIZE = _HEADER.size
"""Bytes of a message before its body."""
_ERRNO = struct.Struct("=i")
_BODY = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_BUFFER = 1 << 16
_PATIENCE = 5.0
"""Seconds that the kernel may take to answer."""
_TRIES = 5
"""Dumps that a change may spoil; the last one counts as it is, and the next step looks again."""


class RawNetlink:
    """A netlink socket for messages that are packed by hand. Belongs to the namespace and thread that opened it."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0
        with suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)

    def ask(self, kind: int, flags: int, body: bytes) -> tuple[list[bytes], bool]:
        """Return what answers a dump or a request for acknowledgement, each message with its header.

        Say as well whether nothing changed meanwhile (``NLM_F_DUMP_INTR``). ``OSError`` if the kernel refuses.
        """
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        found: list[bytes] = []
        whole = True
        while True:
            for said, marks, sequence, message in _split(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue  # the rest of a dump that timed out
                whole = whole and not marks & _DUMP_INTERRUPTED
                if said == _DONE:
                    return found, whole
                if said == _ERROR:
                    number = -_ERRNO.unpack_from(message, _HEADER.size)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return found, whole
                found.append(message)

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return all messages of a dump; one that a change spoilt is repeated."""
        for _ in range(_TRIES):
            found, whole = self.ask(kind, REQUEST_AND_DUMP, body)
            if whole:
                break
        return found

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()


class Dumps(RawNetlink):
    """A route netlink socket that only ever dumps."""

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)

    def messages(self, kind: int, family: int, *, table: int = 0, protocol: int = 0) -> list[bytes]:
        """Return all messages of a dump, each with its header. ``OSError`` if the kernel refuses."""
        return self.dump(kind, _BODY.pack(family, 0, 0, 0, table, protocol, 0, 0, 0))


def messages(data: bytes) -> list[bytes]:
    """Return the messages of what was read at once, each with its header; no errors and no ends of dumps."""
    return [message for kind, _, _, message in _split(data) if kind not in {_ERROR, _DONE}]


def _split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, flags, sequence number and bytes of every message."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, sequence, data[offset : offset + length]
        offset += max(_HEADER.size, (length + 3) & ~3)


def _body(message: bytes) -> bytes:
    return message[_HEADER.size :]


class Decoded(Generic[T]):
    """Values of messages, remembered from one dump to the next by what lasts of their bytes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[T, ...]] = {}

    def values(self, messages: Iterable[bytes], decode: Callable[[bytes], tuple[T, ...]]) -> frozenset[T]:
        """Return what all messages mean; forget those that were not said again."""
        return frozenset(self.in_order(messages, decode))

    def in_order(
        self,
        messages: Iterable[bytes],
        decode: Callable[[bytes], tuple[T, ...]],
        lasting: Callable[[bytes], bytes] = _body,
    ) -> list[T]:
        """Return the same in the order of the messages; ``lasting`` returns what a message is remembered by."""
        known, self._known = self._known, {}
        found: list[T] = []
        for message in messages:
            body = lasting(message)
            meaning = known.get(body)
            if meaning is None:
                meaning = decode(message)
            self._known[body] = meaning
            found += meaning
        return found
