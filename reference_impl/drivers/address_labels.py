"""Labels of IPv6 addresses that a node is not to choose as a source by itself (RFC 6724 section 5, rule 6).

A label of its own, which no destination has, comes before the longest matching prefix. A deprecated address would be
passed over as well, but libipsec does not find those (ADR 10).
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import cached_property
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from reference_impl.drivers.attributes import attribute, values
from reference_impl.drivers.kernel_dump import HEADER_SIZE, REQUEST_AND_ACKNOWLEDGE, RawNetlink
from reference_impl.names import ADDRESS_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEW, _DELETE, _GET = 72, 73, 74
"""``RTM_NEWADDRLABEL`` and its like (linux/rtnetlink.h)."""
_BODY = struct.Struct("=BBBBII")  # ifaddrlblmsg: family, reserved, prefix length, flags, index, sequence
_ADDRESS, _LABEL = 1, 2
"""``IFAL_ADDRESS``, ``IFAL_LABEL`` (linux/if_addrlabel.h)."""
_WHOLE = 128
"""Prefix length of an address."""
_NUMBER = struct.Struct("=I")
_REPLACE, _CREATE = 0x100, 0x400
_NO_IPV6 = frozenset({errno.EOPNOTSUPP, errno.EAFNOSUPPORT})


class AddressLabels:
    """The addresses that have our label in the namespace of the thread that first asks."""

    @cached_property
    def _netlink(self) -> RawNetlink:
        return RawNetlink(socket.NETLINK_ROUTE)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._netlink.close()

    def read(self) -> frozenset[IPv6Address]:
        """Return the addresses with our label; none where the kernel has no IPv6. ``OSError`` if it refuses."""
        try:
            messages = self._netlink.dump(_GET, _BODY.pack(socket.AF_INET6, 0, 0, 0, 0, 0))
        except OSError as error:
            if error.errno in _NO_IPV6:
                return frozenset()
            raise
        return frozenset(_labelled(messages))

    def give(self, address: IPv6Address) -> None:
        """Give an address our label, in place of any other. ``OSError`` if the kernel refuses."""
        self._change(_NEW, REQUEST_AND_ACKNOWLEDGE | _CREATE | _REPLACE, address)

    def take(self, address: IPv6Address) -> None:
        """Take our label from an address; nothing if it has none. ``OSError`` if the kernel refuses."""
        try:
            self._change(_DELETE, REQUEST_AND_ACKNOWLEDGE, address)
        except ProcessLookupError:
            return

    def _change(self, kind: int, flags: int, address: IPv6Address) -> None:
        body = _BODY.pack(socket.AF_INET6, 0, _WHOLE, 0, 0, 0)
        said = attribute(_ADDRESS, address.packed) + attribute(_LABEL, _NUMBER.pack(ADDRESS_LABEL))
        self._netlink.ask(kind, flags, body + said)


def _labelled(messages: Iterable[bytes]) -> Iterable[IPv6Address]:
    for message in messages:
        _, _, length, _, device, _ = _BODY.unpack_from(message, HEADER_SIZE)
        said = values(message, HEADER_SIZE + _BODY.size, len(message))
        if (said.get(_LABEL), length, device) == (_NUMBER.pack(ADDRESS_LABEL), _WHOLE, 0):
            yield IPv6Address(said[_ADDRESS])
