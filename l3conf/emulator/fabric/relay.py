"""A path with delay: frames leave the bridge at one port and are put back at another, later.

netem would do it where a kernel has it, but for all that leaves a port, not for one direction between two sites;
this relay needs packet sockets alone. It keeps the offload header of every frame (PACKET_VNET_HDR), so that
segments which the kernel never cut, and checksums it never computed, arrive as they were sent.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_SOL_PACKET, _VNET_HDR, _IGNORE_OUTGOING = 263, 15, 23  # linux/if_packet.h
_ETH_P_ALL = 3
_RECEIVE_BUFFER = 8 << 20
_FRAME = 10 + 14 + 65536
"""Octets: the offload header, Ethernet, and the largest segment."""
_TURN = 64
"""Frames taken before the event loop gets a word in."""
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136


class DelayedPath:
    """A running relay from one bridge port to another; the bridge itself must drop what it relays."""

    def __init__(
        self,
        namespace: NetworkNamespace,
        source_port: str,
        destination_port: str,
        destination_mac: bytes,
        seconds: float,
        is_open: Callable[[], bool],
    ) -> None:
        """Start in a running event loop; ``is_open`` says, when a frame is due, whether it may arrive."""
        self._mac = destination_mac
        self._seconds = seconds
        self._is_open = is_open
        self._waiting: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._receiver = _socket(namespace, source_port, _ETH_P_ALL)
        self._sender = _socket(namespace, destination_port, 0)
        self._loop.add_reader(self._receiver, self._take)

    def _take(self) -> None:
        for _ in range(_TURN):
            try:
                frame = self._receiver.recv(_FRAME)
            except BlockingIOError:
                return
            if frame[10:16] == self._mac and is_relayed(frame[10:]):
                self._waiting.append(frame)
                self._loop.call_later(self._seconds, self._give)

    def _give(self) -> None:
        if self._waiting:  # else they have all gone already
            frame = self._waiting.popleft()
            if self._is_open():
                with suppress(OSError):  # a full queue loses packets, as a path does
                    self._sender.send(frame)

    def stop(self) -> None:
        """End the relay; what is on its way arrives at once."""
        self._loop.remove_reader(self._receiver)
        self._take()
        self._receiver.close()
        while self._waiting:
            self._give()
        self._sender.close()


def is_relayed(frame: bytes) -> bool:
    """Say whether a frame is the relay's: IP, but for neighbour discovery, which the bridge lets through."""
    if frame[12:14] == _IPV4:
        return True
    is_discovery = frame[20] == _ICMPV6 and frame[54] in (_SOLICITATION, _ADVERTISEMENT) if len(frame) > 54 else False  # noqa: PLR2004 - Ethernet and IPv6 headers
    return frame[12:14] == _IPV6 and not is_discovery


def _socket(namespace: NetworkNamespace, port: str, protocol: int) -> socket.socket:
    opened = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW)  # protocol 0: hears nothing until it is bound
    try:
        opened.setblocking(False)  # noqa: FBT003 - the socket module's signature
        opened.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
        opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.bind((port, protocol))
    except BaseException:
        opened.close()
        raise
    return opened
