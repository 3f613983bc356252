"""Links, addresses and neighbours of a node, read cheaply: it may have hundreds, and agents look often.

pyroute2 decodes links and addresses, each message once (``kernel_dump``): but for their counters they say the same
again. Neighbours always differ in the age of their last use; what is wanted of them is read by hand.
"""

from __future__ import annotations

import functools
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from reference_impl.drivers.attributes import HEADER, attribute, attributes, values
from reference_impl.drivers.kernel_dump import HEADER_SIZE, Decoded, RawNetlink
from reference_impl.drivers.netlink import ifaddrmsg, ifinfmsg

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import IPAddress

_GET_LINK, _GET_ADDRESS, _GET_NEIGHBOUR = 18, 22, 30
"""``RTM_GETLINK`` and its like (linux/rtnetlink.h)."""
_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, index, state, flags, type
_MASK = struct.Struct("=I")
_EXT_MASK, _SKIP_STATISTICS = 29, 1 << 3
"""``IFLA_EXT_MASK`` and ``RTEXT_FILTER_SKIP_STATS``, which leaves out those of IPv6."""
_COUNTERS = frozenset({7, 23})
"""``IFLA_STATS``, ``IFLA_STATS64``: the kernel cannot be asked to leave them out."""
_DESTINATION, _HARDWARE, _PORT, _INDEX = 1, 2, 6, 8
"""``NDA_DST`` and its like (linux/neighbour.h)."""
_PORT_NUMBER = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class NeighbourEntry:
    """A neighbour, or a forwarding entry of a bridge or VXLAN device."""

    state: int
    destination: IPAddress | None
    mac: str
    port: int
    """0: the device's."""


class KernelObjects:
    """What is in the network namespace of the thread that first asks. ``OSError`` if the kernel refuses."""

    def __init__(self) -> None:
        self._links: Decoded[Any] = Decoded()
        self._addresses: Decoded[Any] = Decoded()

    @functools.cached_property
    def _netlink(self) -> RawNetlink:
        """Opened at first use: it belongs to the thread and namespace that opens it."""
        return RawNetlink(socket.NETLINK_ROUTE)

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def links(self) -> list[Any]:
        """Return all devices, as pyroute2 decodes them; their counters are old ones."""
        wanted = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(_EXT_MASK, _MASK.pack(_SKIP_STATISTICS))
        return self._links.in_order(self._netlink.dump(_GET_LINK, wanted), _decoder(ifinfmsg), _lasting)

    def addresses(self) -> list[Any]:
        """Return all addresses, likewise."""
        wanted = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        return self._addresses.in_order(self._netlink.dump(_GET_ADDRESS, wanted), _decoder(ifaddrmsg))

    def neighbours(self, family: int, index: int) -> list[NeighbourEntry]:
        """Return the neighbours of an address family on a device; with ``AF_BRIDGE`` its forwarding entries."""
        is_bridge = family == socket.AF_BRIDGE
        wanted = _NEIGHBOUR.pack(family, index if is_bridge else 0, 0, 0, 0)
        if not is_bridge:
            wanted += attribute(_INDEX, _MASK.pack(index))
        # Older kernels do not know the filter: the index is looked at all the same.
        return [entry for found, entry in map(_entry, self._netlink.dump(_GET_NEIGHBOUR, wanted)) if found == index]


def _decoder(kind: Any) -> Callable[[bytes], tuple[Any, ...]]:  # noqa: ANN401 - pyroute2 is untyped
    def decode(data: bytes) -> tuple[Any, ...]:
        message = kind(data)
        message.decode()
        return (message,)

    return decode


def _lasting(message: bytes) -> bytes:
    """Return what a link says, but for its counters."""
    start = HEADER_SIZE + _LINK.size
    kept = (
        message[begin - HEADER.size : end]
        for kind, begin, end in attributes(message, start, len(message))
        if kind not in _COUNTERS
    )
    return message[HEADER_SIZE:start] + b"".join(kept)


def _entry(message: bytes) -> tuple[int, NeighbourEntry]:
    """Return the index of its device, and the entry."""
    _, index, state, _, _ = _NEIGHBOUR.unpack_from(message, HEADER_SIZE)
    said = values(message, HEADER_SIZE + _NEIGHBOUR.size, len(message))
    destination, hardware, port = said.get(_DESTINATION, b""), said.get(_HARDWARE, b""), said.get(_PORT, b"")
    return index, NeighbourEntry(
        state=state,
        destination=ip_address(destination) if len(destination) in {4, 16} else None,
        mac=hardware.hex(":"),
        port=_PORT_NUMBER.unpack(port)[0] if len(port) == _PORT_NUMBER.size else 0,
    )
