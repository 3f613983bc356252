"""Probes on their way: who waits for which nonce, and until when."""

from __future__ import annotations

import heapq
import time
import typing
from typing import TYPE_CHECKING

from l3conf.observation import Observation, Outcome, Probe, Protocol
from l3conf.probes import sctp, wire
from l3conf.probes.icmp_errors import PacketError
from l3conf.probes.sockets import options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container

GRACE = 0.03
"""Seconds that a probe may overstay while packets are still being read: what has arrived in time counts."""
_MAX_TTL = 255
_MAX_PORT = 65535
_MAX_TIMEOUT = 3600
_SOONEST = 0.01
"""Seconds; a probe that is sent again sooner is a flood."""


class Carrier(typing.Protocol):
    """What brings probes on their way: a socket for one of them or for many."""

    @property
    def persists(self) -> bool:
        """Whether what gets lost from now on is sent again by itself."""

    def landed(self) -> None:
        """Close what was open for the probe that has just ended, and for it alone."""

    def progress(self) -> str:
        """Say how far a probe got that runs out of time."""


class Batch:
    """The probes of one request; ``done`` is called with the observations, in order, when the last has ended."""

    __slots__ = ("_done", "_observations", "_remaining")

    def __init__(self, count: int, done: Callable[[list[Observation]], None]) -> None:
        self._observations: list[Observation | None] = [None] * count
        self._remaining = count
        self._done = done

    def put(self, index: int, observation: Observation) -> None:
        """Record the end of one probe."""
        self._observations[index] = observation
        self._remaining -= 1
        if not self._remaining:
            self._done([each for each in self._observations if each is not None])


class Flight:
    """One probe between emission and end."""

    __slots__ = ("address", "batch", "carriers", "deadline", "index", "nonce", "note", "probe", "sent_at")

    def __init__(self, probe: Probe, nonce: bytes, batch: Batch, index: int) -> None:
        self.probe = probe
        self.nonce = nonce
        self.batch = batch
        self.index = index
        self.address: tuple[str, int] = ("", 0)
        """Where it was sent, as the socket module spells it."""
        self.carriers: tuple[Carrier, ...] = ()
        """In the order in which they were first used; several if it was sent more than once."""
        self.sent_at = 0.0
        self.deadline = 0.0
        self.note = ""
        """What was seen on the way that does not end a probe; told if it ends by ``TIMEOUT``."""

    @property
    def persists(self) -> bool:
        """Whether it need not be sent again."""
        return any(carrier.persists for carrier in self.carriers)

    @property
    def progress(self) -> str:
        """How far it got, by the carrier that got furthest."""
        reached = [carrier for carrier in self.carriers if carrier.persists] or self.carriers
        return reached[0].progress() if reached else ""

    def carried_by(self, carrier: Carrier) -> None:
        """Remember what brings it on its way."""
        if carrier not in self.carriers:
            self.carriers += (carrier,)

    def landed(self) -> None:
        """Close what was open for it."""
        carriers, self.carriers = self.carriers, ()  # a stream and its flight must not wait for the garbage collector
        for carrier in carriers:
            carrier.landed()


class Flights:
    """All probes under way in one engine."""

    def __init__(self) -> None:
        self._by_nonce: dict[bytes, Flight] = {}
        self._deadlines: list[tuple[float, bytes]] = []

    def take_off(self, flight: Flight) -> None:
        """Start the clock of a probe that is about to be emitted."""
        flight.sent_at = now = time.monotonic()
        flight.deadline = now + flight.probe.timeout
        self._by_nonce[flight.nonce] = flight
        heapq.heappush(self._deadlines, (flight.deadline, flight.nonce))

    def call_back(self, flight: Flight) -> None:
        """Undo ``take_off``: nothing was emitted yet, the sender is full."""
        del self._by_nonce[flight.nonce]
        flight.landed()

    def get(self, nonce: bytes | None) -> Flight | None:
        """Return the probe under way with that nonce."""
        return self._by_nonce.get(nonce) if nonce else None

    def underway(self, flight: Flight) -> bool:
        """Tell whether a probe has not ended yet."""
        return flight.nonce in self._by_nonce

    def oldest_from(self, carrier: Carrier, address: tuple[str, int] | None) -> Flight | None:
        """Return the probe longest under way by ``carrier``, to ``address`` if that is given."""
        matching = (
            flight
            for flight in self._by_nonce.values()
            if carrier in flight.carriers and address in (None, flight.address)
        )
        return next(matching, None)

    def answered(self, flight: Flight, message: wire.Message) -> None:
        """End a probe by the answer that came back for it."""
        if self._by_nonce.pop(flight.nonce, None) is None:
            return
        intact = message.intact and not message.query_damaged
        detail = "" if intact else "the query" if message.query_damaged else "the answer"
        self._put(
            flight,
            Observation(
                probe=flight.probe,
                outcome=Outcome.DELIVERED if intact else Outcome.CORRUPTED,
                nonce=flight.nonce.hex(),
                seen_as=message.source,
                responder=message.place,
                rtt=time.monotonic() - flight.sent_at,
                detail=detail and f"{detail} arrived damaged",
            ),
        )

    def failed(self, flight: Flight, error: PacketError) -> None:
        """End a probe by an error, or by its time."""
        if self._by_nonce.pop(flight.nonce, None) is None:
            return
        self._put(
            flight,
            Observation(
                probe=flight.probe,
                outcome=error.outcome,
                nonce=flight.nonce.hex(),
                reporter=error.reporter,
                mtu=error.mtu,
                detail="; ".join(filter(None, (error.detail, flight.note))),
            ),
        )

    def next_deadline(self) -> float | None:
        """Return when the next probe runs out of time, in ``time.monotonic`` seconds."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self._by_nonce:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def expire(self, now: float) -> None:
        """End the probes whose time has run out by ``now``."""
        while self._deadlines and self._deadlines[0][0] <= now:
            flight = self._by_nonce.get(heapq.heappop(self._deadlines)[1])
            if flight is not None and flight.deadline <= now:
                self.failed(flight, PacketError(Outcome.TIMEOUT, detail=flight.progress))

    def sent_by(self, place: str) -> list[Flight]:
        """Return the probes under way from a place."""
        return [flight for flight in self._by_nonce.values() if flight.probe.source == place]

    def _put(self, flight: Flight, observation: Observation) -> None:
        flight.landed()
        flight.batch.put(flight.index, observation)


def flaw_of(probe: Probe, places: Container[str]) -> str:
    """Say why a probe cannot be sent at all; empty if it can."""
    if probe.source not in places:
        return f"no place {probe.source!r} here"
    return _size_flaw(probe) or _header_flaw(probe) or _time_flaw(probe) or _forgery_flaw(probe)


def _size_flaw(probe: Probe) -> str:
    if not wire.MIN_SIZE <= probe.size <= wire.MAX_SIZE:
        return f"size {probe.size} is not within {wire.MIN_SIZE}..{wire.MAX_SIZE}"
    largest = sctp.LARGEST if probe.protocol is Protocol.SCTP else options_of(probe.destination).largest_udp
    if probe.protocol is not Protocol.TCP and probe.size > largest:
        return f"size {probe.size} does not fit a datagram"
    if probe.write_size is not None and probe.write_size < 1:
        return f"write size {probe.write_size} is not positive"
    return ""


def _header_flaw(probe: Probe) -> str:
    if probe.protocol is not Protocol.ICMP and not 0 < probe.port <= _MAX_PORT:
        return f"port {probe.port} is not within 1..{_MAX_PORT}"
    if probe.ttl is not None and not 0 < probe.ttl <= _MAX_TTL:
        return f"ttl {probe.ttl} is not within 1..{_MAX_TTL}"
    if probe.traffic_class is not None and (
        probe.protocol is not Protocol.UDP or not 0 <= probe.traffic_class <= _MAX_TTL
    ):
        return f"{probe.protocol.value} cannot have traffic class {probe.traffic_class}"
    return ""


def _time_flaw(probe: Probe) -> str:
    if not 0 < probe.timeout <= _MAX_TIMEOUT:
        return f"timeout {probe.timeout} is not within 0..{_MAX_TIMEOUT} s"
    if probe.again and not _SOONEST <= probe.again <= _MAX_TIMEOUT:
        return f"again {probe.again} is not within {_SOONEST}..{_MAX_TIMEOUT} s"
    if probe.idle < 0 or (probe.idle and probe.protocol is not Protocol.TCP):
        return f"{probe.protocol.value} cannot be idle for {probe.idle} s"
    return ""


def _forgery_flaw(probe: Probe) -> str:
    if probe.forged_source is None:
        return "only packets with a forged source can be handed to a device" if probe.device else ""
    if probe.protocol is not Protocol.UDP:
        return "only UDP probes can have a forged source"
    if probe.forged_source.version != probe.destination.version:
        return "forged source and destination are of different families"
    return ""
