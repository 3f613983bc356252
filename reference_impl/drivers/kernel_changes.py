"""Whether anything that an agent looks at in the kernel may have changed since it last looked.

The kernel tells subscribers of every change of links, addresses, routes, rules, neighbours and nftables rules. An agent
that was told nothing needs no second look: dumps and ``nft list`` every two seconds would cost more than all its other
work at rest. A change that comes while the agent looks stays in the queue and leads to one look more; a queue that
overflowed (ENOBUFS) counts as a change, and so does a kernel that does not let us subscribe.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel_dump import NETLINK_NETFILTER, NETLINK_ROUTE

if TYPE_CHECKING:
    from collections.abc import Container

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUPS = {NETLINK_ROUTE: (1, 3, 5, 7, 8, 9, 11, 19), NETLINK_NETFILTER: (7,)}
"""``RTNLGRP_`` LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE (linux/rtnetlink.h);
``NFNLGRP_NFTABLES`` (linux/netfilter/nfnetlink.h)."""
_NEIGHBOURS = frozenset({28, 29})
"""``RTM_NEWNEIGH``, ``RTM_DELNEIGH``."""
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_NEIGHBOUR_INDEX = struct.Struct("=4xi")  # ndmsg: family, padding, ifindex
_BUFFER = 1 << 16


class KernelChanges:
    """The kernel's news. Belongs to the namespace and thread that first asks."""

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, ...] = ()

    def any(self, devices: Container[int]) -> bool:
        """Say whether to look again: always the first time, then whenever there was news since the last question.

        Neighbours come and go all the time; only those on ``devices`` (interface indices) count.
        """
        if not self._sockets:
            self._subscribe()
            return True
        news = [_news(each, devices) for each in self._sockets]  # all queues are emptied, whatever is in the first
        return any(news)

    def close(self) -> None:
        """Unsubscribe. Idempotent."""
        for each in self._sockets:
            each.close()
        self._sockets = ()

    def _subscribe(self) -> None:
        opened: list[socket.socket] = []
        try:
            for protocol, groups in _GROUPS.items():
                each = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
                opened.append(each)
                each.setblocking(False)  # noqa: FBT003 - the standard library's signature
                each.bind((0, 0))  # an unbound socket is told nothing
                for group in groups:
                    each.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError:
            for each in opened:
                each.close()
            return  # and ask again next time: until then everything counts as changed
        self._sockets = tuple(opened)


def _news(queue: socket.socket, devices: Container[int]) -> bool:
    """Empty a queue; say whether something in it matters."""
    found = False
    while True:
        try:
            data = queue.recv(_BUFFER)
        except BlockingIOError:
            return found
        except OSError:  # ENOBUFS: there was more than the queue holds
            found = True
            continue
        found = found or queue.proto == NETLINK_NETFILTER or matters(data, devices)


def matters(data: bytes, devices: Container[int]) -> bool:
    """Say whether one of the rtnetlink messages in ``data`` is about more than a neighbour on a foreign device."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        body = offset + _HEADER.size
        if kind not in _NEIGHBOURS or body + _NEIGHBOUR_INDEX.size > len(data):
            return True
        if _NEIGHBOUR_INDEX.unpack_from(data, body)[0] in devices:
            return True
        offset += max(_HEADER.size, (length + 3) & ~3)
    return False
