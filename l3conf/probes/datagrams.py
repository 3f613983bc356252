"""Clients for UDP and ICMP echo: one socket of a place carries many probes at once."""

from __future__ import annotations

import errno
import functools
import os
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from l3conf.probes import icmp_errors, packets, sockets, wire
from l3conf.probes.poller import ERROR, READ

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress
    from l3conf.probes.flights import Flight, Flights
    from l3conf.probes.poller import Poller
    from l3conf.probes.sockets import FamilyOptions

_READS_PER_TURN = 128
_LARGEST = 1 << 16
_QUOTED = 2048
"""Bytes of a reported packet that are read; routers quote at most 1232 (RFC 4443)."""
_CONTROL = 256


@functools.lru_cache(maxsize=4096)
def text_of(address: IPAddress) -> str:
    """Return an address as sockets take it."""
    return str(address)


class DatagramClient(ABC):
    """A socket of one place and family, and the probes it carries.

    Every error on the queue of a UDP socket is about one of its own datagrams; raw ICMP sockets see those of others.
    An answer counts only if it comes from the address and port that were asked: every ordinary client drops others.
    """

    persists = False
    _errors_are_ours = True

    def __init__(self, flights: Flights, poller: Poller, sock: socket.socket, *, shared: bool) -> None:
        self._flights = flights
        self._poller = poller
        self._socket = sock
        self._shared = shared
        poller.register(sock.fileno(), READ, self._ready)

    @abstractmethod
    def _frame(self, flight: Flight) -> bytes:
        """Return the datagram of a probe."""

    @abstractmethod
    def _payload(self, data: bytes) -> bytes:
        """Return the probe payload of a received datagram."""

    @abstractmethod
    def _quoted_nonce(self, data: bytes) -> bytes | None:
        """Return the nonce of the packet that an ICMP error quotes, if the quotation goes that far."""

    def send(self, flight: Flight) -> bool:
        """Emit a probe that has taken off. False: the socket is full, try again; errors end the probe."""
        datagram = self._frame(flight)
        for _ in range(2):
            try:
                self._socket.sendto(datagram, flight.address)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return False
                # A pending ICMP error of an earlier probe is reported here once; then the socket works again.
                if not self._read_errors() and self._flights.underway(flight):
                    self._flights.failed(flight, icmp_errors.from_send(error.errno or 0))
                if not self._flights.underway(flight):
                    return True
            else:
                return True
        self._flights.failed(flight, icmp_errors.from_send(errno.EAGAIN))
        return True

    def landed(self) -> None:
        """Close the socket if it was for one probe alone."""
        if not self._shared:
            self.close()

    def progress(self) -> str:
        """Say nothing: a datagram is either answered or not."""
        return ""

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._socket.fileno() >= 0:
            self._poller.unregister(self._socket.fileno())
            self._socket.close()

    def _ready(self, events: int) -> None:
        if events & ERROR:
            self._read_errors()
        for _ in range(_READS_PER_TURN):
            try:
                data, source = self._socket.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                if self._socket.fileno() < 0:
                    return
                continue  # an ICMP error just queued; the next round reads it
            self._received(data, source)

    def _received(self, data: bytes, source: tuple[str, int]) -> None:
        message = wire.decode(self._payload(data))
        flight = self._flights.get(message.nonce) if message else None
        if message is None or flight is None or self not in flight.carriers:
            return
        if source[:2] != flight.address:
            flight.note = f"an answer came from {source[0]} port {source[1]}, which was not asked"
            return
        self._flights.answered(flight, message)

    def _read_errors(self) -> int:
        """Read the error queue, end the probes it speaks of, return how many entries there were."""
        for count in range(_READS_PER_TURN):
            try:
                data, control, _, address = self._socket.recvmsg(_QUOTED, _CONTROL, socket.MSG_ERRQUEUE)
            except OSError:
                return count
            for _, _, message in control:
                self._blame(icmp_errors.from_error_queue(message), data, address)
        return _READS_PER_TURN

    def _blame(self, error: icmp_errors.PacketError | None, data: bytes, address: tuple[str, int] | None) -> None:
        """Find the probe that an error is about: by what it quotes, else by where that was sent."""
        if error is None:
            return
        nonce = self._quoted_nonce(data)
        if nonce is not None:
            flight = self._flights.get(nonce)
        elif data and not self._errors_are_ours:
            return
        else:
            flight = self._flights.oldest_from(self, address[:2] if address and self._shared else None)
        if flight is not None and self in flight.carriers:
            self._flights.failed(flight, error)


class UdpClient(DatagramClient):
    """Carries UDP probes."""

    def _frame(self, flight: Flight) -> bytes:
        return wire.encode_query(flight.nonce, flight.probe.size)

    def _payload(self, data: bytes) -> bytes:
        return data

    def _quoted_nonce(self, data: bytes) -> bytes | None:
        return wire.nonce_of(data)


class EchoClient(DatagramClient):
    """Carries ICMP echo probes; any host's kernel answers them, with what it was sent."""

    _errors_are_ours = False

    def __init__(
        self,
        flights: Flights,
        poller: Poller,
        options: FamilyOptions,
        sock: socket.socket,
        *,
        shared: bool,
    ) -> None:
        super().__init__(flights, poller, sock, shared=shared)
        self._options = options
        self._has_ip_header = sock.type == socket.SOCK_RAW and options is sockets.IPV4
        # The kernel writes a ping socket's identifier; with raw ones the nonce tells whose an answer is.
        is_raw = sock.type == socket.SOCK_RAW
        self._identifier = int.from_bytes(os.urandom(2), "big") if is_raw else sock.getsockname()[1]
        self._sequence = 0
        self._nonces: dict[int, bytes] = {}

    def _frame(self, flight: Flight) -> bytes:
        self._sequence = self._sequence + 1 & 0xFFFF
        self._nonces[self._sequence] = flight.nonce
        query = wire.encode_query(flight.nonce, flight.probe.size)
        return packets.echo(self._options.echo_request, self._identifier, self._sequence, query)

    def _payload(self, data: bytes) -> bytes:
        return (packets.ipv4_payload(data) if self._has_ip_header else data)[packets.ECHO_HEADER :]

    def _quoted_nonce(self, data: bytes) -> bytes | None:
        header = packets.echo_header(data)
        if header is None or (header.kind, header.identifier) != (self._options.echo_request, self._identifier):
            return None
        return wire.nonce_of(data[packets.ECHO_HEADER :]) or self._nonces.get(header.sequence)
