"""The UDP socket of NAT discovery: the seam, and the real one."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from reference_impl.state import IPAddress

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_LARGEST = 256
"""A message has 96 octets; what is longer is none."""


class Datagram(NamedTuple):
    """What came in."""

    data: bytes
    address: IPAddress
    port: int


class DiscoverySocket(Protocol):
    """Sends and receives datagrams of one local address and port."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable with a datagram."""

    def send(self, data: bytes, address: IPAddress, port: int) -> None:
        """Send a datagram; one that cannot be sent is lost, as any may be."""

    def receive(self) -> Datagram | None:
        """Return the next datagram; None when there is no more."""

    def close(self) -> None:
        """Close the socket."""


class DiscoverySockets(Protocol):
    """Opens sockets."""

    def __call__(self, local: IPAddress, port: int) -> DiscoverySocket:
        """Return a socket; ``OSError`` if the address or port cannot be had."""


class UDPDiscoverySocket:
    """A socket bound to the underlay address: nothing that it sends has a source that a tunnel would carry."""

    def __init__(self, local: IPAddress, port: int) -> None:
        self._socket = socket.socket(_FAMILIES[local.version], socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(0)
            self._socket.bind((str(local), port))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, data: bytes, address: IPAddress, port: int) -> None:
        """Send a datagram."""
        try:
            self._socket.sendto(data, (str(address), port))
        except OSError:
            return  # no route now, or an ICMP error of an earlier datagram: the next request will tell

    def receive(self) -> Datagram | None:
        """Return the next datagram."""
        while True:
            try:
                data, source = self._socket.recvfrom(_LARGEST)
            except BlockingIOError:
                return None
            except OSError:
                continue  # an ICMP error, reported once
            return Datagram(data, ip_address(source[0]), source[1])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
