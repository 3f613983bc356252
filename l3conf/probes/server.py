"""The receiving side of one place: answers UDP and TCP probes, notes what it sees, echo requests included."""

from __future__ import annotations

import errno
import socket
import struct
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from l3conf.observation import Protocol
from l3conf.probes import packets, sockets, wire
from l3conf.probes.poller import READ, WRITE
from l3conf.probes.sctp_sockets import SctpServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.probes.numbered import ArrivalLog
    from l3conf.probes.poller import Poller
    from l3conf.probes.sightings import SightingLog
    from l3conf.probes.sockets import FamilyOptions

_READS_PER_TURN = 128
_LARGEST = 1 << 16
_READ_SIZE = 1 << 18
_CONTROL = 128
"""Bytes: packet info of either family, traffic class, and a count of dropped datagrams."""
_COUNT = struct.Struct("=I")
_IDLE = 60.0
"""Seconds after which a connection that never finished is closed."""
_MOST_CONNECTIONS = 2048
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""What opening a socket says where the kernel or the namespace has no IPv6."""


class Server:
    """Serves one place on all addresses of its namespace. Make it while that namespace is entered.

    Raises ``OSError`` if a port is taken.
    """

    def __init__(self, place: str, poller: Poller, log: SightingLog, arrivals: ArrivalLog) -> None:
        self._place = place
        self._name = place.encode()
        self._arrivals = arrivals
        self._poller = poller
        self._log = log
        self._connections: dict[Connection, None] = {}
        self._sockets: list[socket.socket] = []
        with ExitStack() as undo:
            undo.callback(self.close)
            for options in sockets.FAMILIES:
                self._open_family(options)
            undo.pop_all()

    def close(self) -> None:
        """Close every socket and connection. Idempotent."""
        for sock in self._sockets:
            self._poller.unregister(sock.fileno())
            sock.close()
        self._sockets.clear()
        for connection in list(self._connections):
            connection.close()

    def _open_family(self, options: FamilyOptions) -> None:
        try:
            udp = self._add(sockets.udp_server(options))
            tcp = self._add(sockets.tcp_server(options))
        except OSError as error:
            if options is sockets.IPV6 and error.errno in _NO_SUCH_FAMILY:
                return
            raise
        self._poller.register(udp.fileno(), READ, self._datagrams(udp, options))
        self._poller.register(tcp.fileno(), READ, lambda _: self._accept(tcp, Protocol.TCP))
        try:
            self._open_sctp(options)
            echo = self._add(sockets.echo_watcher(options))
        except PermissionError:
            return  # the kernel still answers echo requests; sightings of ICMP are missing, and SCTP without sockets
        self._poller.register(echo.fileno(), READ, lambda _: self._watch(echo, options))

    def _open_sctp(self, options: FamilyOptions) -> None:
        if sockets.has_sctp():
            listener = self._add(sockets.sctp_server(options))
            self._poller.register(listener.fileno(), READ, lambda _: self._accept(listener, Protocol.SCTP))
        else:
            raw = self._add(sockets.raw_sctp(options))
            self._poller.register(raw.fileno(), READ, SctpServer(self._name, self._log, options, raw).ready)

    def _add(self, sock: socket.socket) -> socket.socket:
        self._sockets.append(sock)
        return sock

    def _datagrams(self, sock: socket.socket, options: FamilyOptions) -> Callable[[int], None]:
        record, name, level, packet_info = self._log.record, self._name, options.level, options.packet_info
        numbered, place, traffic_class = self._arrivals.record, self._place, options.traffic_class

        def answer(_events: int) -> None:
            for _ in range(_READS_PER_TURN):
                try:
                    data, control, _, source = sock.recvmsg(_LARGEST, _CONTROL)
                    query = wire.decode(data)
                    if query is not None and query.kind == wire.NUMBERED and query.intact:
                        self._note_drops(control)
                        numbered(query.nonce, wire.number_of(data), place)
                    if query is None or query.kind != wire.QUERY:
                        continue
                    classes = [int.from_bytes(each[2], sys.byteorder) for each in control if each[1] == traffic_class]
                    record(query.nonce, source[0], Protocol.UDP, classes[0] if classes else None)
                    reply = wire.encode_answer(query, len(data), source[0], source[1], name)
                    # From the very address that was asked: a host with several would else choose by its routes.
                    info = [(level, packet_info, _reply_from(each[2])) for each in control if each[1] == packet_info]
                    sock.sendmsg([reply], info, 0, source)
                except BlockingIOError:
                    return
                except OSError:
                    if sock.fileno() < 0:
                        return

        return answer

    def _note_drops(self, control: list[tuple[int, int, bytes]]) -> None:
        """Note how many datagrams the socket has dropped, if it has any."""
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, sockets.RXQ_OVFL):
                self._arrivals.overflow(self._place, _COUNT.unpack(data)[0])

    def _watch(self, sock: socket.socket, options: FamilyOptions) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                data, source = sock.recvfrom(_LARGEST)
            except OSError:
                return
            message = packets.ipv4_payload(data) if options is sockets.IPV4 else data
            query = wire.decode(message[packets.ECHO_HEADER :])
            if query is not None:
                self._log.record(query.nonce, source[0], Protocol.ICMP)

    def _accept(self, listener: socket.socket, protocol: Protocol) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                sock, source = listener.accept()
            except OSError:
                return
            sock.setblocking(False)  # noqa: FBT003 - the socket module's signature
            if protocol is Protocol.TCP:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, source, self._name, self._poller, self._log, self._connections, protocol)
            self._connections[connection] = None
            self._close_stale()

    def _close_stale(self) -> None:
        """Close connections that never asked, oldest first; one that did may be silent for as long as it likes."""
        oldest = next(iter(self._connections))
        stale = not oldest.asked and time.monotonic() - oldest.since > _IDLE
        if len(self._connections) > _MOST_CONNECTIONS or stale:
            oldest.close()


class Connection:
    """One accepted connection: reads a query, writes the answer, waits for the client to close."""

    __slots__ = (
        "_answer",
        "_log",
        "_name",
        "_others",
        "_poller",
        "_protocol",
        "_query",
        "_seen",
        "_socket",
        "_source",
        "asked",
        "since",
    )

    def __init__(
        self,
        sock: socket.socket,
        source: tuple[str, int],
        name: bytes,
        poller: Poller,
        log: SightingLog,
        others: dict[Connection, None],
        protocol: Protocol,
    ) -> None:
        self._protocol = protocol
        self._socket = sock
        self._source = source
        self._name = name
        self._poller = poller
        self._log = log
        self._others = others
        self._query = bytearray()
        self._answer = memoryview(b"")
        self._seen = False
        self.asked = False
        """Whether a whole query came."""
        self.since = time.monotonic()
        poller.register(sock.fileno(), READ, self._ready)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._others.pop(self, None)
        if self._socket.fileno() >= 0:
            self._poller.unregister(self._socket.fileno())
            self._socket.close()

    def _ready(self, _events: int) -> None:
        try:
            if self._answer:
                self._write()
            else:
                self._read()
        except BlockingIOError:
            return
        except (OSError, wire.NotAProbeError):
            self.close()

    def _read(self) -> None:
        data = self._socket.recv(_READ_SIZE)
        if not data:
            self.close()
            return
        self._query += data
        size = wire.announced_size(self._query)
        if size is None:
            return
        if not self._seen:
            self._seen = True
            self._log.record(bytes(self._query[8 : 8 + wire.NONCE_SIZE]), self._source[0], self._protocol)
        if len(self._query) >= size:
            self._respond(size)

    def _respond(self, size: int) -> None:
        query = wire.decode(self._query)
        if query is None or query.kind != wire.QUERY:
            self.close()
            return
        answer = wire.encode_answer(query, size, self._source[0], self._source[1], self._name)
        self._query.clear()
        self._seen, self.asked = False, True
        self._answer = memoryview(answer)
        self._write()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._answer)
        except BlockingIOError:
            sent = 0
        self._answer = self._answer[sent:]
        self._poller.modify(self._socket.fileno(), WRITE if self._answer else READ)


def _reply_from(info: bytes) -> bytes:
    """Turn the packet info of a received datagram into that of its answer: same address, any interface.

    The route may differ from the one the query came by, so no interface is prescribed; IPv4's ``ipi_spec_dst``,
    the address that counts for sending, is filled in by the kernel on receipt (ip(7)).
    """
    if len(info) == 12:  # noqa: PLR2004 - struct in_pktinfo
        return b"\0\0\0\0" + info[4:]
    return info[:16] + b"\0\0\0\0"
