"""A route netlink socket: many requests in one send, one answer, errors that say what was asked.

The kernel works a send off in order and within the system call. It answers errors always and successes only
where an ACK was asked for, so asking on the last message alone tells about all of them (RFC 3549 section 2).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.emulator.kernel.request import Request

NETLINK_NETFILTER = 12
"""The family of nftables and of connection tracking (linux/netlink.h)."""
_NETLINK_ROUTE = 0
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLMSG_ERROR = 2
_F_REQUEST, _F_ACK = 0x1, 0x4
_F_CAPPED, _F_ACK_TLVS = 0x100, 0x200
_NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")
_QUOTED_HEADER = 4 + _HEADER.size
"""struct nlmsgerr with NETLINK_CAP_ACK: the error number and the header of the refused request."""

_ANSWER_SIZE = 8192
"""Bytes of the largest answer: netlink cuts what it says to a page or two (NLMSG_GOODSIZE)."""
_SEND_LIMIT = 64 * 1024
"""Bytes per send, well below the default socket buffer of 208 KiB."""


class NetlinkError(OSError):
    """The kernel refused one of the requests of a send; the others were carried out."""

    def __init__(self, number: int, position: int, count: int, request: Request, hint: str) -> None:
        reason = f"{os.strerror(number)}: {hint}" if hint else os.strerror(number)
        super().__init__(number, f"netlink message {position} of {count} ({request.what}): {reason}")
        self.position = position
        """Which message of the send, from 1."""
        self.request = request


class RouteSocket:
    """rtnetlink of one namespace. Not for use by several threads at once."""

    __slots__ = ("_acknowledge_all", "_answer", "_socket")

    def __init__(self, namespace: NetworkNamespace | None = None, *, acknowledge_all: bool = False) -> None:
        """Without a namespace, open it in the one that the calling thread is in.

        With ``acknowledge_all`` every request is a send of its own: slower, for debugging.
        """
        opened = socket.socket if namespace is None else namespace.socket
        self._socket = opened(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
        self._acknowledge_all = acknowledge_all
        self._answer = bytearray(_ANSWER_SIZE)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)

    def execute(self, requests: Sequence[Request]) -> None:
        """Carry out all requests in order; raise ``NetlinkError`` for the first that was refused."""
        start = 0
        while start < len(requests):
            end = start + 1 if self._acknowledge_all else _chunk_end(requests, start)
            self._send(requests, start, end)
            start = end

    def _send(self, requests: Sequence[Request], start: int, end: int) -> None:
        last = end - 1
        parts = []
        for position in range(start, end):
            request = requests[position]
            flags = request.flags | _F_REQUEST | (_F_ACK if position == last else 0)
            parts.append(_HEADER.pack(_HEADER.size + len(request.body), request.kind, flags, position + 1, 0))
            parts.append(request.body)
        self._socket.send(b"".join(parts))
        failure = self._answers(last + 1, requests)
        if failure is not None:
            raise failure

    def _answers(self, last: int, requests: Sequence[Request]) -> NetlinkError | None:
        """Read up to the answer to message ``last``; return the first failure. Never waits: it is there already."""
        first: NetlinkError | None = None
        while True:
            data = self._answer
            end = self._socket.recv_into(data, 0, socket.MSG_DONTWAIT)
            offset = 0
            while offset < end:
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
                if kind == _NLMSG_ERROR:
                    body = bytes(data[offset + _HEADER.size : offset + length])
                    number = -_ERRNO.unpack_from(body)[0]
                    if number and first is None:
                        first = NetlinkError(
                            number, sequence, len(requests), requests[sequence - 1], _hint(body, flags)
                        )
                    if sequence == last:
                        return first
                offset += (length + 3) & ~3

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _chunk_end(requests: Sequence[Request], start: int) -> int:
    """Return the end of the longest run from ``start`` that fits one send."""
    size = 0
    for position in range(start, len(requests)):
        size += _HEADER.size + len(requests[position].body)
        if size > _SEND_LIMIT and position > start:
            return position
    return len(requests)


def _hint(body: bytes, flags: int) -> str:
    """Return the kernel's own words about an error, if it has any (NETLINK_EXT_ACK)."""
    if not flags & _F_ACK_TLVS:
        return ""
    quoted = _QUOTED_HEADER
    if not flags & _F_CAPPED:
        quoted = 4 + _HEADER.unpack_from(body, 4)[0]
    message = parse(body[quoted:]).get(_NLMSGERR_ATTR_MSG, b"")
    return message.rstrip(b"\0").decode(errors="replace")
