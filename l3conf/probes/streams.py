"""TCP client: one connection per probe, one query, one answer."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from l3conf.observation import Outcome
from l3conf.probes import icmp_errors, wire
from l3conf.probes.icmp_errors import PacketError
from l3conf.probes.poller import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.probes.flights import Flight, Flights
    from l3conf.probes.poller import Poller
    from l3conf.probes.timers import Timers

_WRITES_PER_TURN = 64
"""Small writes must not keep other probes waiting."""
_READ_SIZE = 1 << 18
_CONTROL = 256


class Stream:
    """The connection of one probe: connect, write the query, read the answer.

    ``rtt`` counts from the SYN to the last byte of the answer.
    """

    __slots__ = (
        "_answer",
        "_closed",
        "_established",
        "_flight",
        "_flights",
        "_idle",
        "_poller",
        "_query",
        "_socket",
        "_timers",
        "_written",
    )

    def __init__(
        self,
        flights: Flights,
        poller: Poller,
        flight: Flight,
        sock: socket.socket,
        closed: Callable[[], None],
        timers: Timers,
    ) -> None:
        """Take over ``sock``; ``closed`` is called once, when the connection is closed."""
        self._closed = closed
        self._timers = timers
        self._idle = flight.probe.idle
        """Seconds of silence that are still to be kept."""
        self._flights = flights
        self._poller = poller
        self._flight = flight
        self._socket = sock
        self._established = False
        self._query = memoryview(wire.encode_query(flight.nonce, flight.probe.size))
        self._written = 0
        self._answer = bytearray()

    @property
    def persists(self) -> bool:
        """Whether the connection stands."""
        return self._established

    def connect(self) -> None:
        """Send the SYN of a probe that has taken off."""
        number = self._socket.connect_ex(self._flight.address)
        if number not in (0, errno.EINPROGRESS):
            self._flights.failed(self._flight, icmp_errors.from_send(number))
            return
        self._poller.register(self._socket.fileno(), WRITE, self._ready)

    def landed(self) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._socket.fileno() >= 0:
            self._poller.unregister(self._socket.fileno())
            self._socket.close()
            self._closed()

    def progress(self) -> str:
        """Say how far the probe got, for one that runs out of time."""
        if not self._established:
            return "not connected"
        if self._idle and self._written == len(self._query):
            return "connected and idle"
        return f"connected; {self._written} of {len(self._query)} bytes written, {len(self._answer)} read"

    def _ready(self, _events: int) -> None:
        try:
            if self._written < len(self._query):
                self._write()
            else:
                self._read()
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error.errno or 0)

    def _write(self) -> None:
        if not self._established:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._failed(number)
                return
            self._socket.getpeername()  # ENOTCONN on a needless call; then the SYN is still unanswered
            self._established = True
        step = self._flight.probe.write_size or len(self._query)
        for _ in range(_WRITES_PER_TURN):
            self._written += self._socket.send(self._query[self._written : self._written + step])
            if self._written == len(self._query):
                self._poller.modify(self._socket.fileno(), READ)
                return

    def _read(self) -> None:
        data = self._socket.recv(_READ_SIZE)
        if not data:
            self._flights.failed(self._flight, PacketError(Outcome.RESET, detail=f"closed early: {self.progress()}"))
            return
        self._answer += data
        try:
            size = wire.announced_size(self._answer)
        except wire.NotAProbeError as error:
            self._flights.failed(self._flight, PacketError(Outcome.CORRUPTED, detail=str(error)))
            return
        if size is not None and len(self._answer) >= size:
            self._judge()

    def _judge(self) -> None:
        message = wire.decode(self._answer)
        if message is None or message.nonce != self._flight.nonce or message.kind != wire.ANSWER:
            self._flights.failed(self._flight, PacketError(Outcome.CORRUPTED, detail="not the answer to this query"))
            return
        if self._idle and message.intact and not message.query_damaged:
            self._answer.clear()
            self._timers.after(self._idle, self._resume)
            return
        self._flights.answered(self._flight, message)

    def _resume(self) -> None:
        """Ask again, after the silence; the answer to this ends the probe."""
        if self._socket.fileno() < 0:
            return
        self._idle, self._written = 0.0, 0
        self._poller.modify(self._socket.fileno(), WRITE)

    def _failed(self, number: int) -> None:
        """End the probe by what the error queue says, else by the errno."""
        if number == errno.ENOTCONN and not self._established:
            return
        error = self._reported() or icmp_errors.from_connection(number, established=self._established)
        self._flights.failed(self._flight, error)

    def _reported(self) -> PacketError | None:
        try:
            _, control, _, _ = self._socket.recvmsg(0, _CONTROL, socket.MSG_ERRQUEUE)
        except OSError:
            return None
        for _, _, message in control:
            return icmp_errors.from_error_queue(message)
        return None
