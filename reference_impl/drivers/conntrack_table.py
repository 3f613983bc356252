"""The kernel's table of flows (ctnetlink): read whole or by one end, and ended one by one.

Every member that arrives has this table looked through on every node. A library that decodes all that the kernel says
of each flow takes 0.4 ms a flow; here two tuples are read, and a flow is ended by the very bytes that it was shown in:
whatever its protocol, the kernel finds it again. Numbers are those of linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from reference_impl.drivers.attributes import HEADER, NESTED, attribute, attributes, nested
from reference_impl.drivers.kernel_dump import NETLINK_NETFILTER, REQUEST_AND_ACKNOWLEDGE, RawNetlink
from reference_impl.flows import Flow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from reference_impl.state import IPAddress, IPNetwork

_GET, _DELETE = 0x101, 0x102
"""``NFNL_SUBSYS_CTNETLINK`` and ``IPCTNL_MSG_CT_GET``, ``…_DELETE``."""
_ORIGINAL, _REPLY, _ZONE, _FILTER = 1, 2, 18, 25
_ADDRESSES, _PROTOCOL = 1, 2
"""``CTA_TUPLE_IP``, ``CTA_TUPLE_PROTO``."""
_ENDS = {4: (1, 2), 6: (3, 4)}
"""``CTA_IP_V4_SRC``, ``…_DST`` and those of IPv6."""
_NUMBER = 1
"""``CTA_PROTO_NUM``."""
_ORIGINAL_FLAGS = 1
_BY_SOURCE, _BY_DESTINATION = 1, 2
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEAD = struct.Struct("=BBH")  # nfgenmsg
_BODY = 16 + _HEAD.size
_LAYOUTS = {4: struct.Struct("=HHHHHH4sHH4s"), 6: struct.Struct("=HHHHHH16sHH16s")}
"""The tuple that comes first, its addresses, source and destination: length and kind each, and the values."""
_LASTING = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_SCTP})


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow, and the bytes that the kernel knows it by."""

    flow: Flow
    key: bytes


class ConntrackTable:
    """The flows of one IP version in this network namespace. A context manager; methods raise ``OSError``."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._netlink = RawNetlink(NETLINK_NETFILTER)
        self._head = _HEAD.pack(_FAMILIES[version], 0, 0)

    def entries(self) -> Iterator[Entry]:
        """Yield all flows."""
        return self._dump(b"")

    def entries_from(self, source: IPAddress) -> Iterator[Entry]:
        """Yield the flows that an address began; the kernel looks for them (Linux 5.8, before: all are yielded)."""
        return self._dump(self._wanted(source, 0, _BY_SOURCE))

    def entries_to(self, destination: IPAddress) -> Iterator[Entry]:
        """Yield the flows that were begun towards an address, likewise."""
        return self._dump(self._wanted(destination, 1, _BY_DESTINATION))

    def entries_into(self, prefixes: Collection[IPNetwork]) -> Iterator[Entry]:
        """Yield the flows that were begun towards one of these prefixes; no others are taken apart."""
        wanted = {(each.max_prefixlen - each.prefixlen, each) for each in prefixes}
        starts = {(shift, int(each.network_address) >> shift) for shift, each in wanted}
        shifts = {shift for shift, _ in wanted}
        for message in self._netlink.dump(_GET, self._head):
            destination = self._destination(message)
            if destination is None or any((shift, destination >> shift) in starts for shift in shifts):
                entry = parse_entry(message)
                if entry is not None and any(entry.flow.destination in each for each in prefixes):
                    yield entry

    def delete(self, entry: Entry) -> None:
        """End a flow; ``FileNotFoundError`` if it has ended by itself."""
        self._netlink.ask(_DELETE, REQUEST_AND_ACKNOWLEDGE, self._head + entry.key)

    def _destination(self, message: bytes) -> int | None:
        """Return where a flow was begun to, from where the kernel usually has it; None if it is not there."""
        layout = _LAYOUTS[self._version]
        if len(message) < _BODY + layout.size:
            return None
        _, tuple_kind, _, ends_kind, _, source, _, _, kind, destination = layout.unpack_from(message, _BODY)
        if (tuple_kind, ends_kind, (source, kind)) != (_ORIGINAL | NESTED, _ADDRESSES | NESTED, _ENDS[self._version]):
            return None
        return int.from_bytes(destination)

    def _wanted(self, address: IPAddress, end: int, flag: int) -> bytes:
        addresses = nested(_ADDRESSES, attribute(_ENDS[self._version][end], address.packed))
        flags = attribute(_ORIGINAL_FLAGS, struct.pack("=I", flag))
        return nested(_ORIGINAL, addresses) + nested(_FILTER, flags)

    def _dump(self, wanted: bytes) -> Iterator[Entry]:
        for message in self._netlink.dump(_GET, self._head + wanted):
            entry = parse_entry(message)
            if entry is not None:
                yield entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._netlink.close()


def parse_entry(message: bytes) -> Entry | None:
    """Read one message of a dump, header included; None for one that lacks a tuple."""
    key, tuples = b"", {}
    for kind, start, end in attributes(message, _BODY, len(message)):
        if kind in {_ORIGINAL, _REPLY}:
            tuples[kind] = _tuple(message, start, end)
        if kind in {_ORIGINAL, _ZONE}:
            key += message[start - HEADER.size : (end + 3) & ~3]
    there, back = tuples.get(_ORIGINAL), tuples.get(_REPLY)
    if there is None or back is None:
        return None
    flow = Flow(
        lasting=there[2] in _LASTING, source=there[0], destination=there[1], known_as=back[1], answers_from=back[0]
    )
    return Entry(flow=flow, key=key)


def _tuple(message: bytes, start: int, end: int) -> tuple[IPAddress, IPAddress, int] | None:
    """Return source, destination and protocol number of one direction."""
    ends: dict[int, IPv4Address | IPv6Address] = {}
    protocol = 0
    for part, begin, stop in attributes(message, start, end):
        for kind, first, last in attributes(message, begin, stop):
            if part == _ADDRESSES:
                value = message[first:last]
                if len(value) in {4, 16}:
                    ends[kind] = ip_address(value)
            elif part == _PROTOCOL and kind == _NUMBER and first < last:
                protocol = message[first]
    for source, destination in _ENDS.values():
        if source in ends and destination in ends:
            return ends[source], ends[destination], protocol
    return None
