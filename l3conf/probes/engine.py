"""The engine: probes between many network namespaces, all at once, in one thread.

It owns no thread and no loop of its own: whoever has it calls ``step`` until there is nothing left to do, or
registers further descriptors with ``poller`` and steps for ever (``control.serve``).
"""

from __future__ import annotations

import os
import resource
import time
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.observation import Observation, Outcome, Probe, Protocol
from l3conf.probes import icmp_errors, packets, sockets, wire
from l3conf.probes.datagrams import text_of
from l3conf.probes.flights import GRACE, Batch, Flight, Flights, flaw_of
from l3conf.probes.icmp_errors import PacketError
from l3conf.probes.numbered import NumberedFlows
from l3conf.probes.places import Entrance, Place
from l3conf.probes.poller import Poller
from l3conf.probes.streams import Stream
from l3conf.probes.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.observation import Sighting

_BURST = 128
"""Probes emitted between two looks at what has arrived: no socket buffer may overflow in the harness itself."""
_BURST_BYTES = 1 << 16
_IDLE_WAIT = 3600.0
_FULL_WAIT = 0.001
"""Seconds until a full socket buffer is tried again; it empties by the kernel's work alone."""
_DESCRIPTORS_PER_STREAM = 4
"""Client and accepted socket, and as many for everything else."""


class Engine:
    """Sends probes from places, answers them at places, remembers what was seen."""

    def __init__(self) -> None:
        self.poller = Poller()
        self._entrance = Entrance()
        self._flights = Flights()
        self._timers = Timers()
        self._places: dict[str, Place] = {}
        self.flows = NumberedFlows(self._places)
        """Numbered flows; they run while the engine is stepped."""
        self._datagrams: deque[Flight] = deque()
        self._streams: deque[Flight] = deque()
        self._open_streams = 0
        self._most_streams = _raise_descriptor_limit() // _DESCRIPTORS_PER_STREAM

    def add_place(self, name: str, namespace: NetworkNamespace | None, *, serve: bool) -> None:
        """Add a place; ``namespace`` (None: the process's own) becomes the engine's to close.

        With ``serve`` it is listening when this returns. Raises ``LabError`` if the name or a port is taken.
        """
        if name in self._places:
            if namespace is not None:
                namespace.close()
            raise LabError("there is a place of that name already", where=name)
        place = Place(name, namespace, self._entrance, self.poller, self._flights, self.flows.arrivals)
        try:
            if serve:
                place.serve()
        except OSError as error:
            place.close()
            raise LabError(f"cannot serve on port {wire.PORT}: {error.strerror}", where=name) from error
        self._places[name] = place

    def remove_place(self, name: str) -> None:
        """Remove a place and close its sockets; its probes under way end as HARNESS_ERROR. Idempotent."""
        place = self._places.pop(name, None)
        if place is None:
            return
        for flight in self._flights.sent_by(name):
            self._flights.failed(flight, PacketError(Outcome.HARNESS_ERROR, detail=f"place {name} was removed"))
        self.flows.place_removed(name)
        place.close()

    def run(self, probes: Sequence[Probe], done: Callable[[list[Observation]], None]) -> None:
        """Queue probes; ``done`` gets their observations, in order, during some later ``step``.

        A probe's time counts from its emission. ``done`` of no probes is called at once.
        """
        if not probes:
            done([])
            return
        batch = Batch(len(probes), done)
        nonces = os.urandom(wire.NONCE_SIZE * len(probes))
        for index, probe in enumerate(probes):
            nonce = nonces[index * wire.NONCE_SIZE : (index + 1) * wire.NONCE_SIZE]
            queue = self._streams if _is_stream(probe) else self._datagrams
            queue.append(Flight(probe, nonce, batch, index))

    def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what a place has seen of the given nonces. ``LabError`` if nothing listens there."""
        found = self._places.get(place)
        if found is None or not found.serving:
            raise LabError("nothing listens here", where=place)
        return found.log.of(nonces)

    def raw(self, place: str, packet: bytes) -> None:
        """Emit a complete IP packet from a place. ``LabError`` if there is no such place, right or route."""
        found = self._places.get(place)
        if found is None:
            raise LabError("there is no such place", where=place)
        try:
            version, destination = packets.destination_of(packet)
            options = sockets.IPV4 if version == 4 else sockets.IPV6  # noqa: PLR2004 - the IP version number
            found.raw(options).sendto(packet, (sockets.presentation(destination), 0))
        except (OSError, ValueError) as error:
            raise LabError(f"cannot emit a raw packet: {error}", where=place) from error

    def step(self, wait: float = _IDLE_WAIT) -> None:
        """Emit what is due, wait up to ``wait`` seconds for something to happen, handle it, end what is overdue."""
        self.flows.emit_due()
        self._timers.run_due()
        queued = len(self._datagrams) + len(self._streams)
        self._emit(self._datagrams, self._emit_datagram)
        self._emit(self._streams, self._emit_stream)
        # What was just emitted may have ended at once, and its caller may be waiting for no more than that.
        idle = queued == len(self._datagrams) + len(self._streams)
        handled = self.poller.poll(self._patience(wait) if idle else 0.0)
        now = time.monotonic()
        self._flights.expire(now - GRACE if handled else now)

    def close(self) -> None:
        """Close every place. Probes under way end as HARNESS_ERROR. Idempotent."""
        self.flows.close()
        for name in list(self._places):
            self.remove_place(name)
        self._entrance.close()
        self.poller.close()

    def _patience(self, wait: float) -> float:
        if self._datagrams:
            wait = min(wait, _FULL_WAIT)
        moments = [
            each
            for each in (self._flights.next_deadline(), self.flows.next_due(), self._timers.next_due())
            if each is not None
        ]
        return max(0.0, min(wait, min(moments) - time.monotonic())) if moments else wait

    def _emit(self, queue: deque[Flight], emit: Callable[[Flight], bool]) -> None:
        budget = _BURST_BYTES
        for _ in range(min(_BURST, len(queue))):
            flight = queue[0]
            flaw = flaw_of(flight.probe, self._places)
            if flaw:
                queue.popleft()
                self._flights.take_off(flight)
                self._flights.failed(flight, PacketError(Outcome.HARNESS_ERROR, detail=flaw))
                continue
            if not emit(flight):
                return
            queue.popleft()
            budget -= flight.probe.size
            if budget < 0:
                return

    def _emit_datagram(self, flight: Flight) -> bool:
        probe = flight.probe
        place = self._places[probe.source]
        self._flights.take_off(flight)
        if probe.forged_source is not None:
            self._emit_forged(flight, place)
            return True
        flight.address = (text_of(probe.destination), probe.port if probe.protocol is Protocol.UDP else 0)
        if self._send(flight):
            self._send_again(flight)
            return True
        self._flights.call_back(flight)
        return False

    def _send(self, flight: Flight) -> bool:
        """Emit a datagram. False: the socket is full."""
        probe = flight.probe
        try:
            client = self._places[probe.source].client(probe, sockets.options_of(probe.destination))
        except OSError as error:
            self._flights.failed(flight, _no_socket(error))
            return True
        flight.carried_by(client)
        return client.send(flight)

    def _send_again(self, flight: Flight) -> None:
        """Arrange for a probe to be sent once more, should it need that."""
        again = flight.probe.again
        if again and time.monotonic() + again < flight.deadline:
            self._timers.after(again, lambda: self._repeat(flight))

    def _repeat(self, flight: Flight) -> None:
        if not self._flights.underway(flight):
            return
        if not flight.persists:
            if not _is_stream(flight.probe):
                self._send(flight)
            elif self._open_streams < self._most_streams:
                self._connect(flight)
        self._send_again(flight)

    def _emit_forged(self, flight: Flight, place: Place) -> None:
        probe = flight.probe
        if probe.forged_source is None:
            return
        payload = wire.encode_query(flight.nonce, probe.size)
        packet = packets.udp_packet(probe.forged_source, probe.destination, probe.port, payload, ttl=probe.ttl)
        try:
            if probe.device:
                place.link().sendto(packet, sockets.link_address(probe.device, probe.destination))
            else:
                place.raw(sockets.options_of(probe.destination)).sendto(packet, (text_of(probe.destination), 0))
        except OSError as error:
            self._flights.failed(flight, icmp_errors.from_send(error.errno or 0))
            return
        flight.note = "emitted with a forged source, no answer can come"

    def _emit_stream(self, flight: Flight) -> bool:
        if self._open_streams >= self._most_streams:
            return False
        self._flights.take_off(flight)
        flight.address = (text_of(flight.probe.destination), flight.probe.port)
        self._connect(flight)
        self._send_again(flight)
        return True

    def _connect(self, flight: Flight) -> None:
        probe = flight.probe
        try:
            sock = self._places[probe.source].stream(probe, sockets.options_of(probe.destination))
        except OSError as error:
            self._flights.failed(flight, _no_socket(error))
            return
        stream = Stream(self._flights, self.poller, flight, sock, self._stream_closed, self._timers)
        flight.carried_by(stream)
        self._open_streams += 1
        stream.connect()

    def _stream_closed(self) -> None:
        self._open_streams -= 1


def run_all(engine: Engine, probes: Sequence[Probe]) -> list[Observation]:
    """Step an engine until all ``probes`` have ended; return their observations in order."""
    results: list[list[Observation]] = []
    engine.run(probes, results.append)
    while not results:
        engine.step()
    return list(chain.from_iterable(results))


def _is_stream(probe: Probe) -> bool:
    return probe.protocol is Protocol.TCP or (probe.protocol is Protocol.SCTP and sockets.has_sctp())


def _no_socket(error: OSError) -> PacketError:
    return PacketError(Outcome.HARNESS_ERROR, detail=f"no socket: {icmp_errors.errno_name(error.errno or 0)}")


def _raise_descriptor_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard > 0 else 1 << 16
