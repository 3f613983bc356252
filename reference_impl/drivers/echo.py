"""ICMP echo from this node: the seam, and the raw socket behind it."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from typing import TYPE_CHECKING, Protocol

from reference_impl.protocols.echo import NONCE_LENGTH, EchoReply, echo_request, parse_reply

if TYPE_CHECKING:
    from reference_impl.state import IPAddress

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_LARGEST = 2048
_IP_PKTINFO, _IPV6_PKTINFO = 8, 50  # linux/in.h, linux/in6.h
_ALL = 0xFFFFFFFF
_ONLY_REPLIES = {
    4: (255, 1, struct.pack("=I", _ALL ^ 1)),  # SOL_RAW, ICMP_FILTER: a bit for each type that is not wanted
    6: (socket.IPPROTO_ICMPV6, 1, struct.pack("=8I", *[_ALL] * 4, _ALL ^ 1 << 129 - 128, *[_ALL] * 3)),  # RFC 3542
}


class Echo(Protocol):
    """Sends echo requests and hears the replies to them."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable with a reply."""

    def send(self, destination: IPAddress, identifier: int, sequence: int, source: IPAddress | None = None) -> bool:
        """Send a request; False if the kernel had no way for it (nothing was emitted).

        ``source``: an address of this node; None: the kernel chooses.
        """

    def receive(self) -> EchoReply | None:
        """Return one reply to a request of ours; None when there is no more."""

    def close(self) -> None:
        """Close the socket."""


class RawEcho:
    """A raw ICMP socket for each IP version that the kernel has; needs CAP_NET_RAW."""

    def __init__(self) -> None:
        self._nonce = os.urandom(NONCE_LENGTH)
        self._poll = select.epoll()
        self._sockets = {version: opened for version in _FAMILIES if (opened := _open(version)) is not None}
        for each in self._sockets.values():
            self._poll.register(each, select.EPOLLIN)

    def fileno(self) -> int:
        """Return the descriptor of an epoll set: readable when one of the sockets is."""
        return self._poll.fileno()

    def send(self, destination: IPAddress, identifier: int, sequence: int, source: IPAddress | None = None) -> bool:
        """Send a request."""
        try:
            packet = echo_request(destination.version, identifier, sequence, self._nonce)
            chosen = [] if source is None else [_from(source)]
            self._sockets[destination.version].sendmsg([packet], chosen, 0, (str(destination), 0))
        except (KeyError, OSError):
            return False
        return True

    def receive(self) -> EchoReply | None:
        """Return the next reply of ours, skipping other people's."""
        for version, each in self._sockets.items():
            while (packet := _read(each)) is not None:
                reply = parse_reply(version, packet, self._nonce)
                if reply is not None:
                    return reply
        return None

    def close(self) -> None:
        """Close the sockets."""
        self._poll.close()
        for each in self._sockets.values():
            each.close()


def _from(source: IPAddress) -> tuple[int, int, bytes]:
    """Return the control message that chooses a packet's source (ip(7) IP_PKTINFO, RFC 3542 section 6)."""
    if source.version == 4:  # noqa: PLR2004 - the IP version
        return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", 0, source.packed, bytes(4))
    return socket.IPPROTO_IPV6, _IPV6_PKTINFO, source.packed + struct.pack("=i", 0)


def _open(version: int) -> socket.socket | None:
    """Return a socket that hears nothing but echo replies; None if the kernel lacks this IP version."""
    try:
        opened = socket.socket(_FAMILIES[version], socket.SOCK_RAW, _PROTOCOLS[version])
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise
    opened.settimeout(0)
    opened.setsockopt(*_ONLY_REPLIES[version])
    return opened


def _read(opened: socket.socket) -> bytes | None:
    try:
        return opened.recv(_LARGEST)
    except OSError:
        return None
