"""Flows that connection tracking remembers in a namespace, and forgetting some of them.

A remembered flow keeps its translation for as long as packets come: new NAT rules say nothing to it. ctnetlink
(linux/netfilter/nfnetlink_conntrack.h) lists and deletes entries.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from l3conf.emulator.kernel.attributes import NESTED, attribute, parse
from l3conf.emulator.kernel.netlink import NETLINK_NETFILTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from ipaddress import IPv4Address, IPv6Address

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_GET, _DELETE = (1 << 8) | 1, (1 << 8) | 2
_F_REQUEST, _F_ACK, _F_DUMP = 0x1, 0x4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TUPLE_ORIGINAL, _TUPLE_REPLY = 1, 2
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_SOURCE, _DESTINATION = (1, 3), (2, 4)  # CTA_IP_V4_SRC or CTA_IP_V6_SRC, CTA_IP_V4_DST or CTA_IP_V6_DST
_PROTOCOL_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3

_UDP = bytes([socket.IPPROTO_UDP])

_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("=BBH")
_PORT = struct.Struct(">H")
_RECEIVE = 1 << 17


Endpoint: TypeAlias = "tuple[IPv4Address | IPv6Address, int]"
"""Address and port."""
Backends: TypeAlias = "Mapping[Endpoint, AbstractSet[Endpoint]]"
"""Who may answer a UDP flow, by whom its first packet addressed."""


def forget_flows(namespace: NetworkNamespace, family: int, backends: Backends) -> int:
    """Delete the UDP flows to a key of ``backends`` that none of its value answers; return how many.

    ``family`` is ``AF_INET`` or ``AF_INET6``. The kernel walks the connections of all namespaces for it, some
    milliseconds: to be asked only where there may be something to forget.
    """
    wanted = {_packed(served): {_packed(one) for one in answering} for served, answering in backends.items()}
    # Nearly all entries are about other addresses: one search in C spares taking them apart.
    mentioned = re.compile(b"|".join(re.escape(address.packed) for address, _port in backends), re.DOTALL)
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        channel.send(_message(_GET, _F_REQUEST | _F_DUMP, family, b""))
        entries = filter(mentioned.search, _entries(channel))
        stale = [found for entry in entries if (found := stale_original(entry, wanted))]
        for original in stale:
            channel.send(_message(_DELETE, _F_REQUEST | _F_ACK, family, attribute(_TUPLE_ORIGINAL | NESTED, original)))
            with suppress(FileNotFoundError):  # it ended by itself meanwhile
                _raise_refusal(channel.recv(_RECEIVE))
    return len(stale)


def stale_original(entry: bytes, wanted: Mapping[bytes, AbstractSet[bytes]]) -> bytes | None:
    """Return the tuple that names an entry to the kernel if its flow is to be forgotten.

    ``entry`` is the attributes of one entry, ``wanted`` are ``Backends`` as the kernel writes them: address and port,
    in network order. Of most entries only the destination is read.
    """
    body = parse(entry)
    original = body[_TUPLE_ORIGINAL]
    asked = _end(original, _DESTINATION, _DESTINATION_PORT)
    answering = wanted.get(asked)
    if answering is None or _end(body[_TUPLE_REPLY], _SOURCE, _SOURCE_PORT) in answering:
        return None
    return original


def _end(flow: bytes, addresses: tuple[int, int], port: int) -> bytes:
    """Return one end of a UDP tuple, address and port; b"" for other protocols."""
    parts = parse(flow)
    protocol = parse(parts[_TUPLE_PROTOCOL])
    if protocol[_PROTOCOL_NUMBER] != _UDP:
        return b""
    ip = parse(parts[_TUPLE_IP])
    return (ip.get(addresses[0]) or ip[addresses[1]]) + protocol[port]


def _packed(endpoint: Endpoint) -> bytes:
    address, port = endpoint
    return address.packed + _PORT.pack(port)


def _message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    payload = _FAMILY.pack(family, 0, 0) + body
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, 1, 0) + payload


def _entries(channel: socket.socket) -> Iterator[bytes]:
    """Yield the attributes of each entry; a dump may hold other families than it was asked for."""
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
                yield data[offset + _HEADER.size + _FAMILY.size : offset + length]
            offset += (length + 3) & ~3


def _raise_refusal(answer: bytes) -> None:
    number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
    if number == errno.ENOENT:
        raise FileNotFoundError(number, "no such flow")
    if number:
        raise OSError(number, f"conntrack: {os.strerror(number)}")
