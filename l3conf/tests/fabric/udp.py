"""One datagram and its answer between two namespaces: who was seen as whom, and what ICMP said."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.model.topology import IPAddress

IP_RECVERR, IPV6_RECVERR = 11, 25  # ip(7), ipv6(7); not in Python's socket module
PATIENCE = 30.0
"""Seconds to wait for what must come."""
SILENCE = 0.2
"""Seconds of nothing that count as dropped; what passes arrives within a millisecond."""
RETRY = 1.0
"""Seconds after which a question without an answer is asked again."""


@contextlib.contextmanager
def server(namespace: NetworkNamespace, address: IPAddress) -> Iterator[socket.socket]:
    """Open a UDP socket that waits for datagrams."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with namespace.socket(family, socket.SOCK_DGRAM) as listener:
        listener.bind((str(address), 7000))
        listener.settimeout(PATIENCE)
        yield listener


def client(namespace: NetworkNamespace, address: IPAddress) -> socket.socket:
    """Open a UDP socket connected to ``server``; every ICMP error surfaces on it."""
    family, level, option = socket.AF_INET, socket.SOL_IP, IP_RECVERR
    if address.version == 6:
        family, level, option = socket.AF_INET6, socket.IPPROTO_IPV6, IPV6_RECVERR
    sender = namespace.socket(family, socket.SOCK_DGRAM)
    sender.setsockopt(level, option, 1)
    sender.settimeout(PATIENCE)
    sender.connect((str(address), 7000))
    return sender


def seen_as(source: NetworkNamespace, destination: NetworkNamespace, address: IPAddress) -> str:
    """Send a datagram and its answer; return the source that the server saw.

    Again until there is one: a new link has no link-local address for a moment, longer where the kernel is busy, and
    finds no IPv6 neighbour without it. After three seconds of that packets are refused.
    """
    with server(destination, address) as listener, client(source, address) as sender:
        for end in (listener, sender):
            end.settimeout(RETRY)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                sender.send(b"ping")
                _, peer = listener.recvfrom(100)
                listener.sendto(b"pong", peer)
                assert sender.recv(100) == b"pong"
            except OSError as error:
                if not (isinstance(error, TimeoutError) or error.errno == errno.EHOSTUNREACH):
                    raise
                if time.monotonic() > deadline:
                    raise
            else:
                return str(peer[0])


def error_of(source: NetworkNamespace, address: IPAddress) -> int:
    """Send a datagram that must be refused on its way; return the errno that ICMP turned into."""
    with client(source, address) as sender:
        sender.send(b"ping")
        try:
            sender.recv(100)
        except OSError as error:
            return error.errno or 0
    return 0


def is_dropped(source: NetworkNamespace, destination: NetworkNamespace, address: IPAddress) -> bool:
    """Say whether a datagram to an address vanishes on its way to a listener there."""
    return not _is_heard(source, destination, address, SILENCE)


def arrives(source: NetworkNamespace, destination: NetworkNamespace, address: IPAddress) -> bool:
    """Say whether a datagram to an address gets to a listener there, whenever the machine comes to it."""
    return _is_heard(source, destination, address, PATIENCE)


def _is_heard(source: NetworkNamespace, destination: NetworkNamespace, address: IPAddress, seconds: float) -> bool:
    with server(destination, address) as listener, client(source, address) as sender:
        listener.settimeout(seconds)
        sender.send(b"lost?")
        try:
            listener.recv(100)
        except TimeoutError:
            return False
    return True
