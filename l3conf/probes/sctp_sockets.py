"""SCTP at a place whose kernel has no sockets for it: client and server on raw sockets (``sctp``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from l3conf.observation import Protocol
from l3conf.probes import packets, sctp, sockets, wire
from l3conf.probes.datagrams import DatagramClient

if TYPE_CHECKING:
    import socket

    from l3conf.probes.flights import Flight, Flights
    from l3conf.probes.poller import Poller
    from l3conf.probes.sightings import SightingLog
    from l3conf.probes.sockets import FamilyOptions

_FIRST_PORT, _PORTS = 49152, 16384
"""Dynamic ports (RFC 6335)."""
_MOST_OPEN = 512
"""Associations after which those are forgotten whose probes have ended."""
_READS_PER_TURN = 128
_LARGEST = 1 << 16


class SctpClient(DatagramClient):
    """Carries SCTP probes: an association each, told apart by its port."""

    _errors_are_ours = False

    def __init__(
        self, flights: Flights, poller: Poller, options: FamilyOptions, sock: socket.socket, *, shared: bool
    ) -> None:
        super().__init__(flights, poller, sock, shared=shared)
        self._has_ip_header = options is sockets.IPV4
        self._open: dict[int, tuple[sctp.Association, bytes]] = {}
        self._last = int.from_bytes(os.urandom(2), "big")

    def _frame(self, flight: Flight) -> bytes:
        if len(self._open) > _MOST_OPEN:
            self._open = {port: each for port, each in self._open.items() if self._flights.get(each[1]) is not None}
        self._last += 1
        port = _FIRST_PORT + self._last % _PORTS
        query = wire.encode_query(flight.nonce, flight.probe.size)
        association = sctp.Association(port, flight.probe.port, query)
        self._open[port] = association, flight.nonce
        return association.init()

    def _payload(self, data: bytes) -> bytes:
        return packets.ipv4_payload(data) if self._has_ip_header else data

    def _received(self, data: bytes, source: tuple[str, int]) -> None:
        packet = sctp.decode(self._payload(data))
        found = self._open.get(packet.destination_port) if packet is not None else None
        flight = self._flights.get(found[1]) if found is not None else None
        if packet is None or found is None or flight is None or self not in flight.carriers:
            return
        if source[0] != flight.address[0]:
            flight.note = f"a packet came from {source[0]}, which was not asked"
            return
        reply, answer = found[0].receive(packet)
        if reply is not None:
            self._reply(reply, flight)
        message = wire.decode(answer) if answer is not None else None
        if message is not None and message.nonce == flight.nonce:
            del self._open[packet.destination_port]
            self._flights.answered(flight, message)

    def _reply(self, reply: bytes, flight: Flight) -> None:
        try:
            self._socket.sendto(reply, flight.address)
        except OSError as error:
            flight.note = f"the association was not completed: {error.strerror}"
            self._read_errors()

    def _quoted_nonce(self, data: bytes) -> bytes | None:
        ports = sctp.ports_of(data)
        found = self._open.get(ports[0]) if ports is not None else None
        return found[1] if found is not None else None


class SctpServer:
    """Answers SCTP probes on all addresses of one family."""

    def __init__(self, place: bytes, log: SightingLog, options: FamilyOptions, sock: socket.socket) -> None:
        self._place = place
        self._log = log
        self._socket = sock
        self._has_ip_header = options is sockets.IPV4
        self._responder = sctp.Responder()

    def ready(self, _events: int) -> None:
        """Take what has arrived."""
        for _ in range(_READS_PER_TURN):
            try:
                data, source = self._socket.recvfrom(_LARGEST)
                packet = sctp.decode(packets.ipv4_payload(data) if self._has_ip_header else data)
                reply = self._answer(packet, source[0]) if packet is not None else None
                if reply is not None:
                    self._socket.sendto(reply, (source[0], 0))
            except BlockingIOError:
                return
            except OSError:
                if self._socket.fileno() < 0:
                    return

    def _answer(self, packet: sctp.Packet, source: str) -> bytes | None:
        if packet.destination_port != wire.PORT:
            return None
        accepted = self._responder.accept(packet, source)
        if accepted is not None:
            return accepted
        payload = self._responder.query(packet, source)
        query = wire.decode(payload) if payload is not None else None
        if payload is None or query is None or query.kind != wire.QUERY:
            return None
        self._log.record(query.nonce, source, Protocol.SCTP)
        answer = wire.encode_answer(query, len(payload), source, packet.source_port, self._place)
        return self._responder.answer(packet, source, answer)
