"""Discovery sockets in memory: a network of gateways, with NATs and losses as a test wants them."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_impl.drivers.discovery_socket import Datagram

if TYPE_CHECKING:
    from reference_impl.state import IPAddress


@dataclass
class FakeNetwork:
    """Delivers at once what is sent to an address that somebody has. ``open`` opens a socket."""

    aliases: dict[IPAddress, IPAddress] = field(default_factory=dict)
    """Public address → the private one behind it; what a gateway behind one sends comes from there."""
    unreachable: set[IPAddress] = field(default_factory=set)
    """Addresses at which nothing arrives."""
    sent: list[Datagram] = field(default_factory=list)
    """Everything ever sent: data, and where to."""
    _sockets: dict[tuple[IPAddress, int], FakeDiscoverySocket] = field(default_factory=dict)

    def open(self, local: IPAddress, port: int) -> FakeDiscoverySocket:
        """Return a socket; ``OSError`` while another has the place."""
        if (local, port) in self._sockets:
            raise OSError("address in use")
        made = FakeDiscoverySocket(self, local, port)
        self._sockets[local, port] = made
        return made

    def deliver(self, data: bytes, source: tuple[IPAddress, int], destination: tuple[IPAddress, int]) -> None:
        """Bring a datagram to whoever is there."""
        address, port = destination
        target = self._sockets.get((self.aliases.get(address, address), port))
        if target is not None and address not in self.unreachable:
            target.put(Datagram(data, *source))

    def seen_as(self, local: IPAddress) -> IPAddress:
        """Return the address that others see a gateway at."""
        return next((public for public, private in self.aliases.items() if private == local), local)

    def closed(self, local: IPAddress, port: int) -> None:
        """Forget a socket."""
        self._sockets.pop((local, port), None)


class FakeDiscoverySocket:
    """One gateway's socket. A pipe makes it readable."""

    def __init__(self, network: FakeNetwork, local: IPAddress, port: int) -> None:
        self._network = network
        self._local = local
        self._port = port
        self._queue: deque[Datagram] = deque()
        self._read, self._write = os.pipe()

    def fileno(self) -> int:
        """Return a descriptor that is readable while there are datagrams."""
        return self._read

    def send(self, data: bytes, address: IPAddress, port: int) -> None:
        """Hand a datagram to the network."""
        self._network.sent.append(Datagram(data, address, port))
        self._network.deliver(data, (self._network.seen_as(self._local), self._port), (address, port))

    def put(self, datagram: Datagram) -> None:
        """Take a datagram in."""
        self._queue.append(datagram)
        os.write(self._write, b"x")

    def receive(self) -> Datagram | None:
        """Return the next datagram."""
        if not self._queue:
            return None
        os.read(self._read, 1)
        return self._queue.popleft()

    def close(self) -> None:
        """Leave the network."""
        self._network.closed(self._local, self._port)
        os.close(self._read)
        os.close(self._write)
