"""Places of an engine: a network namespace each, with what is open in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.namespaces import CLONE_NEWNET, NetworkNamespace, setns
from l3conf.observation import Probe, Protocol
from l3conf.probes import sockets
from l3conf.probes.datagrams import DatagramClient, EchoClient, UdpClient
from l3conf.probes.sctp_sockets import SctpClient
from l3conf.probes.server import Server
from l3conf.probes.sightings import SightingLog

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from l3conf.probes.flights import Flights
    from l3conf.probes.numbered import ArrivalLog
    from l3conf.probes.poller import Poller
    from l3conf.probes.sockets import FamilyOptions


_MAKERS = {
    Protocol.UDP: sockets.udp_client,
    Protocol.ICMP: sockets.echo_client,
    Protocol.SCTP: sockets.raw_sctp,
}


class Entrance:
    """Moves the one thread of an engine between namespaces, and only when it must: the last one stays entered.

    Sockets keep the namespace they were made in, so where the thread is matters to nothing but making them.
    """

    def __init__(self) -> None:
        self._home = NetworkNamespace.current()
        self._inside: NetworkNamespace = self._home

    def enter(self, namespace: NetworkNamespace | None) -> None:
        """Enter a namespace; None is the one the process started in."""
        target = namespace or self._home
        if target is not self._inside:
            setns(target.fd, CLONE_NEWNET)
            self._inside = target

    def close(self) -> None:
        """Return to where the process started. Idempotent."""
        if self._home.fd >= 0:
            self.enter(None)
            self._home.close()


class Place:
    """One place: its namespace, its server if it has one, its clients. Sockets are made when first needed."""

    def __init__(
        self,
        name: str,
        namespace: NetworkNamespace | None,
        entrance: Entrance,
        poller: Poller,
        flights: Flights,
        arrivals: ArrivalLog,
    ) -> None:
        """``namespace`` becomes this object's own to close."""
        self.name = name
        self.log = SightingLog(name)
        self.serving = False
        self._namespace = namespace
        self._entrance = entrance
        self._poller = poller
        self._flights = flights
        self._arrivals = arrivals
        self._server: Server | None = None
        self._clients: dict[tuple[Protocol, FamilyOptions], DatagramClient] = {}
        self._raw: dict[FamilyOptions, socket.socket] = {}
        self._link: socket.socket | None = None

    def serve(self) -> None:
        """Start the server. ``OSError`` if its ports are taken."""
        with self.entered():
            self._server = Server(self.name, self._poller, self.log, self._arrivals)
        self.serving = True

    def client(self, probe: Probe, options: FamilyOptions) -> DatagramClient:
        """Return the socket that carries a UDP, ICMP or SCTP probe; one of its own if the probe sets socket options.

        Options are the socket's, not the packet's, and an error that quotes little is then still about that probe.
        """
        if probe.ttl is not None or probe.dont_fragment or probe.traffic_class is not None:
            return self._make_client(probe.protocol, options, probe)
        key = (probe.protocol, options)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = self._make_client(probe.protocol, options, None)
        return client

    def stream(self, probe: Probe, options: FamilyOptions) -> socket.socket:
        """Return a new socket for a connection, TCP or SCTP."""
        make = sockets.tcp_client if probe.protocol is Protocol.TCP else sockets.sctp_client
        with self.entered():
            return make(options, probe.ttl)

    def numbered(self, options: FamilyOptions) -> socket.socket:
        """Return a new UDP socket for one numbered flow: a source port of its own."""
        with self.entered():
            return sockets.numbered_sender(options)

    def raw(self, options: FamilyOptions) -> socket.socket:
        """Return the socket for complete IP packets. ``PermissionError`` without CAP_NET_RAW."""
        sock = self._raw.get(options)
        if sock is None:
            with self.entered():
                sock = self._raw[options] = sockets.raw_sender(options)
        return sock

    def link(self) -> socket.socket:
        """Return the socket that hands IP packets to devices. ``PermissionError`` without CAP_NET_RAW."""
        if self._link is None:
            with self.entered():
                self._link = sockets.link_sender()
        return self._link

    def close(self) -> None:
        """Close everything that is open here, the namespace's descriptor too."""
        if self._server is not None:
            self._server.close()
        for client in self._clients.values():
            client.close()
        for sock in (*self._raw.values(), *((self._link,) if self._link else ())):
            sock.close()
        if self._namespace is not None:
            self._entrance.enter(None)
            self._namespace.close()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make sockets in this place's namespace inside the block."""
        self._entrance.enter(self._namespace)
        yield

    def _make_client(self, protocol: Protocol, options: FamilyOptions, special: Probe | None) -> DatagramClient:
        make = _MAKERS[protocol]
        with self.entered():
            if special is None:
                sock = make(options)
            else:
                sock = make(options, ttl=special.ttl, dont_fragment=special.dont_fragment)
        if special is not None and special.traffic_class is not None:
            sock.setsockopt(options.level, options.traffic_class, special.traffic_class)
        if protocol is Protocol.UDP:
            return UdpClient(self._flights, self._poller, sock, shared=special is None)
        wrap = EchoClient if protocol is Protocol.ICMP else SctpClient
        return wrap(self._flights, self._poller, options, sock, shared=special is None)
