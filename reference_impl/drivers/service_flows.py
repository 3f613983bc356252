"""Flows to Services in the kernel's table: read, heard of as they begin, and put there as if they had begun here.

What a NAT entry needs to be made again (ctnetlink, as conntrackd does it): the tuple of its first packet, where its
destination was changed to, and that it is past its beginning. Sequence numbers are not known, so the window of a TCP
connection is not looked at (``BE_LIBERAL``). Numbers are those of linux/netfilter/nfnetlink_conntrack.h and
nf_conntrack_common.h.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Protocol

from reference_impl.drivers.attributes import attribute, attributes, nested, values
from reference_impl.drivers.kernel_dump import NETLINK_NETFILTER, REQUEST_AND_ACKNOWLEDGE, RawNetlink, messages
from reference_impl.flows import ServiceFlow

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_NEW_FLOWS = 1
"""``NFNLGRP_CONNTRACK_NEW``."""
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_CREATE, _EXCLUSIVE = 0x400, 0x200
_ORIGINAL, _REPLY, _STATUS, _PROTOCOL_STATE, _SOURCE_NAT, _TIMEOUT, _DESTINATION_NAT = 1, 2, 3, 4, 6, 7, 13
_ADDRESSES, _PROTOCOL = 1, 2
_SOURCE_PORT, _DESTINATION_PORT = 2, 3
_ENDS = {4: (1, 2), 6: (3, 4)}
_NAT_ADDRESS, _NAT_PORTS = {4: 1, 6: 4}, 3
"""``CTA_NAT_V4_MINIP``, ``…_V6_MINIP``; ``CTA_NAT_PROTO``, which holds the smallest and the greatest port."""
_DNAT = 1 << 5
_SEEN_REPLY, _ASSURED, _CONFIRMED = 1 << 1, 1 << 2, 1 << 3
_TCP_STATE, _TCP_FLAGS = 1, (4, 5)
_TCP_ESTABLISHED, _TCP_LIBERAL = 3, 8
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEAD = struct.Struct("=BBH")
_BODY = 16 + _HEAD.size
_BUFFER = 1 << 18
_PROTOCOLS = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_UDP})


End = tuple[IPv4Address | IPv6Address, int]


class NewFlows(Protocol):
    """Flows to Services as they begin."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when some have begun."""

    def read(self) -> list[ServiceFlow]:
        """Return those since the last call. ``OSError`` (ENOBUFS) if some were missed."""

    def close(self) -> None:
        """Close the socket. Idempotent."""


class ServiceFlows(Protocol):
    """Flows whose destination was changed, in the kernel of a gateway node. Methods may raise ``OSError``."""

    def flows(self) -> list[ServiceFlow]:
        """Return all that there are."""

    def put(self, flow: ServiceFlow, seconds: int) -> bool:
        """Have the kernel know a flow, for so long without packets from now on.

        False if it cannot yet: the backend is on this node, where the flow is known as another gateway translated it.
        """

    def take(self, flow: ServiceFlow, seconds: int) -> None:
        """Have the kernel know a flow in place of what it knew of it, since it comes in here from now on."""

    def end(self, flow: ServiceFlow) -> None:
        """Have the kernel forget a flow, if it knows it."""

    def hear(self) -> NewFlows:
        """Begin to hear of flows as they begin."""

    def close(self) -> None:
        """Close the socket. Idempotent."""


class KernelNewFlows:
    """What the kernel of this network namespace tells of new flows."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NEW_FLOWS)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def read(self) -> list[ServiceFlow]:
        """Return the flows that have begun since the last call."""
        found: list[ServiceFlow] = []
        with suppress(BlockingIOError):
            while True:
                found += _read(messages(self._socket.recv(_BUFFER)))
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class KernelServiceFlows:
    """Those of this network namespace. Belongs to the namespace that it was made in."""

    def __init__(self) -> None:
        self._netlink = RawNetlink(NETLINK_NETFILTER)

    def flows(self) -> list[ServiceFlow]:
        """Return all that there are. By a socket of its own: another thread may ask."""
        netlink = RawNetlink(NETLINK_NETFILTER)
        try:
            heads = (_HEAD.pack(family, 0, 0) for family in _FAMILIES.values())
            return [flow for head in heads for flow in _read(netlink.dump(_GET, head))]
        finally:
            netlink.close()

    def hear(self) -> KernelNewFlows:
        """Begin to hear of flows as they begin."""
        return KernelNewFlows()

    def take(self, flow: ServiceFlow, seconds: int) -> None:
        """Forget the flow between client and backend, and make the entry."""
        self._delete((flow.client, flow.client_port), (flow.backend, flow.backend_port), flow.protocol)
        self.put(flow, seconds)

    def put(self, flow: ServiceFlow, seconds: int) -> bool:
        """Make the entry that the flow has on another gateway."""
        version = flow.client.version
        ends = (flow.client, flow.client_port), (flow.service, flow.service_port)
        parts = [
            nested(_ORIGINAL, _tuple(*ends, flow.protocol)),
            nested(_REPLY, _tuple(ends[1], ends[0], flow.protocol)),
            attribute(_STATUS, struct.pack("!I", _CONFIRMED | _SEEN_REPLY | _ASSURED)),
            attribute(_TIMEOUT, struct.pack("!I", seconds)),
            _translation(_DESTINATION_NAT, (flow.backend, flow.backend_port)),
            # Said as well: else the kernel would give the client another port where the backend knows this one.
            _translation(_SOURCE_NAT, ends[0]),
        ]
        if flow.protocol == socket.IPPROTO_TCP:
            liberal = bytes((_TCP_LIBERAL, _TCP_LIBERAL))
            state = [
                attribute(_TCP_STATE, bytes((_TCP_ESTABLISHED,))),
                *(attribute(each, liberal) for each in _TCP_FLAGS),
            ]
            parts.append(nested(_PROTOCOL_STATE, nested(1, b"".join(state))))
        head = _HEAD.pack(_FAMILIES[version], 0, 0)
        try:
            self._netlink.ask(_NEW, REQUEST_AND_ACKNOWLEDGE | _CREATE | _EXCLUSIVE, head + b"".join(parts))
        except FileExistsError:
            # It is prolonged, if it is this one and not one with the same answers.
            known, _, _, time, *_ = parts
            try:
                self._netlink.ask(_NEW, REQUEST_AND_ACKNOWLEDGE, head + known + time)
            except FileNotFoundError:
                return False
        return True

    def end(self, flow: ServiceFlow) -> None:
        """Delete the entry."""
        self._delete((flow.client, flow.client_port), (flow.service, flow.service_port), flow.protocol)

    def _delete(self, source: End, destination: End, protocol: int) -> None:
        head = _HEAD.pack(_FAMILIES[source[0].version], 0, 0)
        with suppress(FileNotFoundError):
            body = head + nested(_ORIGINAL, _tuple(source, destination, protocol))
            self._netlink.ask(_DELETE, REQUEST_AND_ACKNOWLEDGE, body)

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()


def _translation(kind: int, end: End) -> bytes:
    """Return what one end is translated to: this address and this port, and no other."""
    address, number = end
    port = struct.pack("!H", number)
    ports = nested(_NAT_PORTS, attribute(1, port) + attribute(2, port))
    return nested(kind, attribute(_NAT_ADDRESS[address.version], address.packed) + ports)


def _tuple(source: End, destination: End, protocol: int) -> bytes:
    there, back = _ENDS[source[0].version]
    addresses = attribute(there, source[0].packed) + attribute(back, destination[0].packed)
    ports = (
        attribute(_SOURCE_PORT, struct.pack("!H", source[1])),
        attribute(_DESTINATION_PORT, struct.pack("!H", destination[1])),
    )
    return nested(_ADDRESSES, addresses) + nested(_PROTOCOL, attribute(1, bytes((protocol,))) + b"".join(ports))


def _read(found: list[bytes]) -> Iterator[ServiceFlow]:
    for message in found:
        flow = _parsed(message)
        if flow is not None:
            yield flow


def _parsed(message: bytes) -> ServiceFlow | None:
    """Read one message, header included; None for a flow whose destination is what it was, or that has no ports."""
    parts = {kind: (start, end) for kind, start, end in attributes(message, _BODY, len(message))}
    if not {_ORIGINAL, _REPLY, _STATUS} <= parts.keys():
        return None
    status = struct.unpack_from("!I", message, parts[_STATUS][0])[0]
    if not status & _DNAT:
        return None
    there, back = _ends(message, *parts[_ORIGINAL]), _ends(message, *parts[_REPLY])
    if there is None or back is None:
        return None
    protocol, (client, client_port), (service, service_port) = there
    _, (backend, backend_port), _ = back
    return ServiceFlow(protocol, client, client_port, service, service_port, backend, backend_port)


def _ends(message: bytes, start: int, end: int) -> tuple[int, End, End] | None:
    """Return protocol, source and destination of one direction."""
    said: dict[int, bytes] = {}
    addresses: dict[int, bytes] = {}
    for part, begin, stop in attributes(message, start, end):
        kept = addresses if part == _ADDRESSES else said
        kept.update(values(message, begin, stop))
    protocol = said.get(1, b"\0")[0]
    if protocol not in _PROTOCOLS or not {_SOURCE_PORT, _DESTINATION_PORT} <= said.keys():
        return None
    ports = [int.from_bytes(said[each], "big") for each in (_SOURCE_PORT, _DESTINATION_PORT)]
    for there, back in _ENDS.values():
        if there in addresses and back in addresses:
            return protocol, (ip_address(addresses[there]), ports[0]), (ip_address(addresses[back]), ports[1])
    return None
