"""Flows that connection tracking remembers in a namespace, and forgetting some of them.

A remembered flow keeps its translation for as long as packets come: new NAT rules say nothing to it. ctnetlink
(linux/netfilter/nfnetlink_conntrack.h) lists and deletes entries.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import NESTED, attribute, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from ipaddress import IPv4Address, IPv6Address

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_NETLINK_NETFILTER = 12
_GET, _DELETE = (1 << 8) | 1, (1 << 8) | 2
_F_REQUEST, _F_ACK, _F_DUMP = 0x1, 0x4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TUPLE_ORIGINAL, _TUPLE_REPLY = 1, 2
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_ADDRESSES: dict[int, tuple[int, int]] = {socket.AF_INET: (1, 2), socket.AF_INET6: (3, 4)}
_PROTOCOL_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3

_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("=BBH")
_PORT = struct.Struct(">H")
_RECEIVE = 1 << 17


@dataclass(frozen=True, slots=True)
class Flow:
    """A remembered flow: whom its first packet addressed, and who answers."""

    protocol: int
    """IP protocol number."""
    destination: IPv4Address | IPv6Address
    destination_port: int
    answered_by: IPv4Address | IPv6Address
    answered_by_port: int


def forget_flows(namespace: NetworkNamespace, family: int, is_stale: Callable[[Flow], bool]) -> int:
    """Delete the flows for which ``is_stale`` says so; return how many. ``family`` is ``AF_INET`` or ``AF_INET6``."""
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
        channel.send(_message(_GET, _F_REQUEST | _F_DUMP, family, b""))
        stale = [original for flow, original in _entries(channel) if is_stale(flow)]
        for original in stale:
            channel.send(_message(_DELETE, _F_REQUEST | _F_ACK, family, attribute(_TUPLE_ORIGINAL | NESTED, original)))
            with suppress(FileNotFoundError):  # it ended by itself meanwhile
                _raise_refusal(channel.recv(_RECEIVE))
    return len(stale)


def _message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    payload = _FAMILY.pack(family, 0, 0) + body
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, 1, 0) + payload


def _entries(channel: socket.socket) -> Iterator[tuple[Flow, bytes]]:
    """Yield each flow with its original tuple, which names it to the kernel."""
    while True:
        data = channel.recv(_RECEIVE)
        offset = 0
        while offset < len(data):
            length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, offset)
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                _raise_refusal(data[offset:])
            else:
                family = data[offset + _HEADER.size]  # a dump may hold other families than it was asked for
                body = parse(data[offset + _HEADER.size + _FAMILY.size : offset + length])
                flow = _flow(body, family)
                if flow is not None:
                    yield flow, body[_TUPLE_ORIGINAL]
            offset += (length + 3) & ~3


def _flow(body: dict[int, bytes], family: int) -> Flow | None:
    """Return the flow of an entry; None for protocols without ports."""
    source, destination = _ADDRESSES[family]
    original, reply = parse(body[_TUPLE_ORIGINAL]), parse(body[_TUPLE_REPLY])
    asked, answered = parse(original[_TUPLE_PROTOCOL]), parse(reply[_TUPLE_PROTOCOL])
    if _DESTINATION_PORT not in asked or _SOURCE_PORT not in answered:
        return None
    return Flow(
        protocol=asked[_PROTOCOL_NUMBER][0],
        destination=ip_address(parse(original[_TUPLE_IP])[destination]),
        destination_port=_PORT.unpack(asked[_DESTINATION_PORT])[0],
        answered_by=ip_address(parse(reply[_TUPLE_IP])[source]),
        answered_by_port=_PORT.unpack(answered[_SOURCE_PORT])[0],
    )


def _raise_refusal(answer: bytes) -> None:
    number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
    if number == errno.ENOENT:
        raise FileNotFoundError(number, "no such flow")
    if number:
        raise OSError(number, f"conntrack: {os.strerror(number)}")
