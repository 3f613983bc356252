"""Both ends of numbered flows in one engine: senders that keep their time, and a log of arrivals.

A sender's schedule is fixed when it starts, number n at ``start + n * period``: neither the time that sending
takes nor a late wake-up moves what follows. Flows of the same rate are spread over the period, so that many of
them are no burst. A number that is overdue by more than ``_LATEST`` is left out, not sent in a burst: what the
harness missed must look like what it is.
"""

from __future__ import annotations

import errno
import heapq
import math
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from l3conf.continuity import SMALLEST, FlowRecord, NumberedFlow, Position, Series
from l3conf.errors import LabError
from l3conf.probes import sockets, wire
from l3conf.probes.icmp_errors import errno_name

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.probes.places import Place

_LATEST = 0.01
"""Seconds by which a number may be late, or one period where that is longer."""
_BURST = 128
"""Packets emitted between two looks at what has arrived."""
_MOST = 1 << 22
"""Packets recorded of one flow and end: over an hour at 1 kHz."""
_FASTEST = 2000.0
_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS})


@dataclass(slots=True)
class _Log:
    """Numbers and times of one end, as they come."""

    numbers: array[int] = field(default_factory=lambda: array("Q"))
    times: array[float] = field(default_factory=lambda: array("d"))

    def add(self, number: int, moment: float) -> None:
        if len(self.numbers) < _MOST:
            self.numbers.append(number)
            self.times.append(moment)

    def since(self, position: int) -> Series:
        return Series(self.numbers[position:], self.times[position:])


class ArrivalLog:
    """What the servers of an engine have received of the flows that it was told to expect."""

    def __init__(self) -> None:
        self._logs: dict[bytes, _Log] = {}
        self._receivers: dict[bytes, frozenset[str]] = {}
        self._strayed: Counter[bytes] = Counter()
        self._overflown: Counter[str] = Counter()
        """By place: what its socket has dropped since it was opened (SO_RXQ_OVFL)."""
        self._overflown_before: dict[bytes, int] = {}

    def expect(self, flow: NumberedFlow) -> None:
        """Keep what arrives of a flow from now on."""
        identity = bytes.fromhex(flow.id)
        self._logs[identity] = _Log()
        self._receivers[identity] = frozenset(flow.receivers)
        self._overflown_before[identity] = self._dropped_at(flow)

    def forget(self, flow: NumberedFlow) -> None:
        """Drop what was kept. Idempotent."""
        identity = bytes.fromhex(flow.id)
        for kept in (self._logs, self._receivers, self._strayed, self._overflown_before):
            kept.pop(identity, None)

    def record(self, identity: bytes, number: int, place: str) -> None:
        """Note a packet that has just been received."""
        log = self._logs.get(identity)
        if log is None:
            return
        if place in self._receivers[identity]:
            log.add(number, time.monotonic())
        else:
            self._strayed[identity] += 1

    def overflow(self, place: str, total: int) -> None:
        """Note how many packets a place's socket has dropped in its life."""
        self._overflown[place] = total

    def arrived(self, flow: NumberedFlow, since: int) -> Series:
        """Return what has arrived, without the first ``since`` packets."""
        log = self._logs.get(bytes.fromhex(flow.id))
        return log.since(since) if log else Series()

    def strayed(self, flow: NumberedFlow) -> int:
        """Return how many packets reached other places."""
        return self._strayed[bytes.fromhex(flow.id)]

    def overflown(self, flow: NumberedFlow) -> int:
        """Return how many packets the receivers' sockets have dropped since the flow was expected."""
        return self._dropped_at(flow) - self._overflown_before.get(bytes.fromhex(flow.id), 0)

    def _dropped_at(self, flow: NumberedFlow) -> int:
        return sum(self._overflown[place] for place in flow.receivers)


class _Sender:
    """One flow on its schedule."""

    def __init__(self, flow: NumberedFlow, open_socket: Callable[[], socket.socket], start: float) -> None:
        self.flow = flow
        self.log = _Log()
        self.refused: Counter[str] = Counter()
        self.flaw = ""
        self.ended: float | None = None
        self._open = open_socket
        self._socket = open_socket()
        self._address = (str(flow.destination), flow.port)
        self._identity = bytes.fromhex(flow.id)
        self._start = start
        self._next = 0
        self._latest = max(_LATEST, flow.period)

    @property
    def due(self) -> float:
        """When the next number is to be emitted."""
        return self._start + self._next * self.flow.period

    @property
    def running(self) -> bool:
        return self._socket.fileno() >= 0

    def emit(self, now: float) -> None:
        """Emit the next number that is not too late."""
        number = max(self._next, math.ceil((now - self._latest - self._start) / self.flow.period))
        self._next = number + 1
        try:
            self._send(wire.encode_numbered(self._identity, number, self.flow.size))
        except OSError as error:
            if error.errno in _FULL:
                return  # not emitted: it is missing in the sender's own record
            self.refused[errno_name(error.errno or 0)] += 1
        self.log.add(number, now)

    def _send(self, packet: bytes) -> None:
        if not self.flow.fresh:
            self._socket.sendto(packet, self._address)
            return
        with self._open() as sock:
            sock.sendto(packet, self._address)

    def stop(self, flaw: str = "") -> None:
        if self.running:
            self.flaw = flaw
            self.ended = time.monotonic()
            self._socket.close()


class NumberedFlows:
    """All flows that an engine sends, and the arrivals of those that it receives."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.arrivals = ArrivalLog()
        self._places = places
        self._flows: dict[str, NumberedFlow] = {}
        self._senders: dict[str, _Sender] = {}
        self._due: list[tuple[float, str]] = []

    def start(self, flows: Sequence[NumberedFlow]) -> None:
        """Expect and begin to send flows. ``LabError``, and none of them, if one cannot be.

        An engine without a flow's source place only receives it, and the other way round.
        """
        try:
            for flow in flows:
                self._admit(flow)
            now = time.monotonic()
            for index, flow in enumerate(flows):
                self._begin(flow, now + flow.period * index / len(flows))
        except BaseException:
            self.forget([flow.id for flow in flows])
            raise

    def stop(self, ids: Iterable[str]) -> None:
        """Emit nothing more of these flows. Idempotent; arrivals are still noted."""
        for each in ids:
            if each in self._senders:
                self._senders[each].stop()

    def records(self, asked: Iterable[Position]) -> list[FlowRecord]:
        """Return what both ends have recorded beyond these positions. ``LabError`` for flows that are not known."""
        return [self._record(each) for each in asked]

    def forget(self, ids: Iterable[str]) -> None:
        """Stop flows and drop their records. Idempotent."""
        for each in list(ids):
            self.stop([each])
            self._senders.pop(each, None)
            flow = self._flows.pop(each, None)
            if flow is not None:
                self.arrivals.forget(flow)

    def emit_due(self) -> None:
        """Emit what is due, a burst of it at most."""
        due = self._due
        for _ in range(_BURST):
            now = time.monotonic()
            if not due or due[0][0] > now:
                return
            sender = self._senders.get(due[0][1])
            if sender is None or not sender.running:
                heapq.heappop(due)
                continue
            sender.emit(now)
            heapq.heapreplace(due, (sender.due, sender.flow.id))

    def next_due(self) -> float | None:
        """Return when the next number is due, in ``time.monotonic`` seconds."""
        return self._due[0][0] if self._due else None

    def place_removed(self, place: str) -> None:
        """Stop what a place sends."""
        for sender in self._senders.values():
            if sender.flow.source == place:
                sender.stop(f"place {place} was removed")

    def close(self) -> None:
        """Stop everything."""
        self.forget(self._flows)

    def _admit(self, flow: NumberedFlow) -> None:
        if flow.id in self._flows:
            raise LabError(f"there is a flow {flow.id} already", where=flow.source)
        if len(flow.id) != 2 * wire.NONCE_SIZE:
            raise LabError(f"a flow's identity has {wire.NONCE_SIZE} bytes", where=flow.id)
        if not 0 < flow.rate <= _FASTEST:
            raise LabError(f"a rate of {flow.rate:g} packets a second is not within 0..{_FASTEST:g}", where=flow.source)
        if not SMALLEST <= flow.size <= sockets.options_of(flow.destination).largest_udp:
            raise LabError(f"size {flow.size} does not fit a numbered datagram", where=flow.source)
        self._flows[flow.id] = flow
        self.arrivals.expect(flow)

    def _begin(self, flow: NumberedFlow, start: float) -> None:
        place = self._places.get(flow.source)
        if place is None:
            return
        open_socket = partial(place.numbered, sockets.options_of(flow.destination))
        try:
            sender = self._senders[flow.id] = _Sender(flow, open_socket, start)
        except OSError as error:
            raise LabError(f"no socket for a flow: {error.strerror}", where=flow.source) from error
        heapq.heappush(self._due, (sender.due, flow.id))

    def _record(self, asked: Position) -> FlowRecord:
        flow, sender = self._flows.get(asked.id), self._senders.get(asked.id)
        if flow is None:
            raise LabError(f"there is no flow {asked.id}")
        return FlowRecord(
            flow=flow,
            emitted=sender.log.since(asked.emitted) if sender else Series(),
            received=self.arrivals.arrived(flow, asked.received),
            ended=time.monotonic() if sender is None or sender.ended is None else sender.ended,
            refused=dict(sender.refused) if sender else {},
            overflown=self.arrivals.overflown(flow),
            strayed=self.arrivals.strayed(flow),
            flaw=sender.flaw if sender else "",
        )
