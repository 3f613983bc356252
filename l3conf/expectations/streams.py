"""Flows that run while something changes: ``with lab.stream(pairs) as stream: …; stream.loses_nothing()``.

Before the change every flow must have run without loss (control window): what is lost before anything happened
is the ground's doing, not the change's. A sender that did not emit, or a receiver that did not hear, makes the
row an ``error``: what nobody sent or heard proves nothing about the path between.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.continuity import Continuity, FlowRecord, NumberedFlow, Series, clean_since, continuity
from l3conf.errors import BusyHostError, LabError
from l3conf.expectations.flow import Flow
from l3conf.expectations.places import PORT, Pod, Service
from l3conf.expectations.timeline import Moment, Row, Timeline
from l3conf.observation import Protocol
from l3conf.wait import DeadlineMissedError, Pending, Waited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Client, Server
    from l3conf.labs.base import FlowReader
    from l3conf.model.topology import IPFamily

    _Judge = Callable[[Continuity], bool]

BLIND = 0.25
"""Seconds for which a sender may be silent: an outage could hide in a longer silence."""
_PAUSE = 0.02
_MOST_LINES = 12
_MOST_ROWS = 40


class Stream:
    """Numbered UDP flows over many pairs at once; a context manager. Emission ends where the context does.

    Numbers may be asked for inside the context and after it. Inside, packets that are under way get ``T_probe``
    to arrive. Every question raises ``LabError`` if the harness was silent or deaf.
    """

    def __init__(
        self,
        harness: Harness,
        pairs: Iterable[tuple[Client, Server]],
        *,
        rate: float,
        family: IPFamily,
        size: int = 64,
        fresh: bool = False,
    ) -> None:
        """``rate``: packets a second and flow; ``size``: bytes of payload; ``fresh``: a new flow with every packet."""
        self._harness = harness
        self._pairs: dict[str, tuple[Client, Server]] = {}
        self._flows: list[NumberedFlow] = []
        for client, server in pairs:
            identity = harness.random.randbytes(8).hex()
            self._pairs[identity] = client, server
            self._flows.append(
                NumberedFlow(
                    id=identity,
                    source=client.place,
                    destination=server.address(family),
                    port=PORT,
                    receivers=_receivers(server),
                    rate=rate,
                    size=size,
                    fresh=fresh,
                )
            )
        if not self._flows:
            raise LabError("a stream over no pair at all proves nothing", remedy="check how pairs are chosen")
        self._family = family
        self._context: AbstractContextManager[FlowReader] | None = None
        self._read: FlowReader | None = None
        self._since: dict[str, int] = {}
        """The first number after the control window, by flow."""
        self._began = 0.0
        self._final: tuple[Continuity, ...] | None = None

    def __enter__(self) -> Self:
        self._began = self._harness.clock.now()
        self._context = self._harness.lab.flows(self._flows)
        self._read = self._context.__enter__()
        try:
            self._control()
        except BaseException as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise
        self._harness.note(f"stream: {len(self._flows)} flows at {self._flows[0].rate:g} Hz run without loss")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End emission, let what is under way arrive, keep the timeline. ``LabError`` if nothing is proved by it."""
        context, read = self._context, self._read
        if context is None or read is None:
            raise LabError("a stream ends only after it has begun")
        try:
            # What the scenario raised says more than what a lab that broke with it says now.
            with suppress(LabError) if kind else nullcontext():
                self._conclude(read)
        finally:
            context.__exit__(kind, error, traceback)

    def _conclude(self, read: FlowReader) -> None:
        read.stop()
        records = self._settled()
        self._final = self._judged(records)
        self._keep(records)
        self._check(records)

    def goes_on(self, window: str) -> None:
        """Let the flows run for a window of the table of budgets (``W_…``)."""
        self._harness.clock.sleep(self._harness.budgets.get(window))

    # What came of it.

    def lost(self) -> int:
        """Return how many packets of all flows were emitted and never arrived."""
        return sum(one.lost for one in self._results())

    def longest_outage(self) -> float:
        """Return the seconds of the longest run of missing numbers in any flow."""
        return max(one.longest_outage for one in self._results())

    def duplicated(self) -> int:
        """Return how many packets arrived again."""
        return sum(one.duplicated for one in self._results())

    def reordering_extent(self) -> int:
        """Return by how many arrivals a packet came after one that was sent later, at most (RFC 4737)."""
        return max(one.extent for one in self._results())

    def loses_nothing(self) -> None:
        """Expect every packet to have arrived."""
        self._no(lambda one: one.lost > 0, "packets were lost")

    def duplicates_nothing(self) -> None:
        """Expect no packet to have arrived twice."""
        self._no(lambda one: one.duplicated > 0, "packets arrived more than once")

    def outage_within(self, budget: str) -> None:
        """Expect the longest outage to be within a budget of the table (``O_move`` …); it goes into the report."""
        allowed, took = self._harness.budgets.get(budget), self.longest_outage()
        self._harness.record(
            Waited(condition=f"longest outage of {self}", budget=budget, allowed=allowed, took=took, held=True)
        )
        self._no(lambda one: one.longest_outage > allowed, f"an outage of more than {budget} = {allowed:g} s")

    def __repr__(self) -> str:
        """Return what was seen, for a failing assertion."""
        return f"<{self}: {'; '.join(self.timeline()) or 'nothing missing'}>" if self._final else f"<{self}>"

    def __str__(self) -> str:
        """Return the stream as a message names it."""
        return f"stream of {len(self._flows)} flows at {self._flows[0].rate:g} Hz"

    def timeline(self) -> list[str]:
        """Return a line for every flow that lost, doubled or reordered packets, in seconds from the stream's begin."""
        return [self._line(one) for one in self._final or () if one.lost or one.duplicated or one.reordered]

    # How it is known.

    def _control(self) -> None:
        """Wait until every flow has run for ``W_control`` without loss; ``LabError`` if that does not come about."""
        window = self._harness.budgets.get("W_control")

        def look() -> str | Pending:
            records = self._records()
            dirty = [record.flow for record in records if not clean_since(record, window)]
            if dirty:
                return Pending(f"{len(dirty)} of {len(records)} lose packets, e.g. {self._name(dirty[0])}")
            self._since = {record.flow.id: max(record.received.numbers) + 1 for record in records}
            return "clean"

        try:
            self._harness.wait(f"{self} runs without loss before anything changes", look, "T_control")
        except DeadlineMissedError as missed:
            raise LabError(f"{missed}; so a loss later would prove nothing", where="control window") from None

    def _records(self) -> list[FlowRecord]:
        if self._read is None:
            raise LabError("a stream that has not begun has seen nothing")
        return self._read()

    def _settled(self) -> list[FlowRecord]:
        """Return records in which what was emitted before this call has had ``T_probe`` to arrive."""
        records, patience = self._records(), self._harness.budgets.get("T_probe")
        ends = [len(record.emitted) for record in records]
        awaited = [_emitted_within(record, patience) for record in records]
        deadline = self._harness.clock.now() + patience
        while self._harness.clock.now() < deadline and any(
            not sent <= _newest(record, 2 * len(sent)) for sent, record in zip(awaited, records, strict=True)
        ):
            self._harness.clock.sleep(_PAUSE)
            records = self._records()
        return [_cut_off(record, end) for record, end in zip(records, ends, strict=True)]

    def _results(self) -> tuple[Continuity, ...]:
        if self._final is not None:
            return self._final
        records = self._settled()
        self._check(records)
        return self._judged(records)

    def _judged(self, records: Sequence[FlowRecord]) -> tuple[Continuity, ...]:
        return tuple(continuity(record, since=self._since[record.flow.id]) for record in records)

    def _check(self, records: Sequence[FlowRecord]) -> None:
        """Raise ``LabError`` where the harness was silent or deaf."""
        for record, seen in zip(records, self._judged(records), strict=True):
            client, server = self._pairs[record.flow.id]
            where = self._name(record.flow)
            if record.flaw:
                raise LabError(f"the sender stopped: {record.flaw}", where=where)
            if seen.silence > max(BLIND, 3 * record.flow.period):
                raise BusyHostError(f"the sender was silent for {seen.silence:.2f} s", where=where)
            if record.refused and isinstance(client, Pod):  # a node's own routes are the implementation's, a pod's not
                raise LabError(f"the sender's kernel refused packets: {dict(record.refused)}", where=where)
            if record.overflown:
                raise BusyHostError(
                    f"the receiver did not keep up: {record.overflown} dropped by its socket", where=where
                )
            if not seen.sent:
                raise LabError("nothing was emitted after the control window", where=where)
            if seen.lost:
                self._hears_itself(server)

    def _hears_itself(self, server: Server) -> None:
        """Insist that a receiver that missed packets is one that hears: the same socket gets a packet of its own."""
        for pod in _pods(server):
            own = Flow(client=pod.local, server=pod.local, protocol=Protocol.UDP, family=self._family)
            (seen,) = self._harness.send([own.probe(self._harness.budgets.get("T_probe"))])
            if not self._harness.lab.sightings(pod.place, [seen.nonce]):
                raise LabError("the receiver is deaf, so what it missed proves nothing", where=str(pod))

    def _no(self, wrong: _Judge, what: str) -> None:
        found = [one for one in self._results() if wrong(one)]
        if found:
            lines = "\n".join(f"  {self._line(one)}" for one in found[:_MOST_LINES])
            more = f"\n  … and {len(found) - _MOST_LINES} more" if len(found) > _MOST_LINES else ""
            raise AssertionError(f"{what} in {len(found)} of {len(self._flows)} flows:\n{lines}{more}")

    def _keep(self, records: Sequence[FlowRecord]) -> None:
        """Add what was seen to the run's timeline and to its evidence."""
        for line in self.timeline()[:_MOST_LINES]:
            self._harness.note(f"stream: {line}")
        flows = [
            {
                "flow": self._name(record.flow),
                "rate": record.flow.rate,
                "sent": seen.sent,
                "lost": seen.lost,
                "duplicated": seen.duplicated,
                "reordered": seen.reordered,
                "longestOutage": round(seen.longest_outage, 4),
                "longestSilenceOfSender": round(seen.silence, 4),
                "controlWindowEnds": self._since[record.flow.id],
                "gaps": [
                    {"at": round(gap.began - self._began, 4), "seconds": round(gap.seconds, 4), "missing": gap.missing}
                    for gap in seen.gaps
                ],
                "refused": dict(record.refused),
                "overflown": record.overflown,
                "strayed": record.strayed,
            }
            for record, seen in zip(records, self._final or (), strict=True)
        ]
        self._harness.keep("stream.json", json.dumps({"began": self._began, "flows": flows}, indent=1) + "\n")
        rows = tuple(self._row(*each) for each in self._drawn(records))
        moments = tuple(Moment(at - self._began, text) for at, text in self._harness.noted())
        self._harness.keep("timeline", Timeline(rows, moments))

    def _drawn(self, records: Sequence[FlowRecord]) -> Iterable[tuple[FlowRecord, Continuity]]:
        """Return the flows that are drawn: the first few, those that lost most before the others."""
        both = list(zip(records, self._final or (), strict=True))
        return sorted(both, key=lambda each: -each[1].longest_outage)[:_MOST_ROWS]

    def _row(self, record: FlowRecord, seen: Continuity) -> Row:
        times = record.emitted.times
        begins, ends = (times[0] - self._began, times[-1] - self._began) if len(times) else (0.0, 0.0)
        since = bisect_left(record.emitted.numbers, self._since[record.flow.id])
        controlled = times[since] - self._began if since < len(times) else ends
        gaps = tuple((gap.began - self._began, gap.seconds) for gap in seen.gaps)
        return Row(self._name(record.flow), begins, controlled, ends, gaps)

    def _line(self, seen: Continuity) -> str:
        words = [f"{seen.lost} of {seen.sent} lost"]
        if seen.gaps:
            worst = max(seen.gaps, key=lambda gap: gap.seconds)
            words.append(f"longest outage {worst.seconds:.3f} s, {worst.began - self._began:.2f} s after the begin")
        if seen.duplicated:
            words.append(f"{seen.duplicated} duplicates")
        if seen.reordered:
            words.append(f"{seen.reordered} reordered, by up to {seen.extent}")
        return f"{self._name(seen.flow)}: {', '.join(words)}"

    def _name(self, flow: NumberedFlow) -> str:
        client, server = self._pairs[flow.id]
        return f"{client} -> {server}"


def _receivers(server: Server) -> tuple[str, ...]:
    return tuple(pod.place for pod in server.backends) if isinstance(server, Service) else (server.place,)


def _pods(server: Server) -> tuple[Pod, ...]:
    if isinstance(server, Service):
        return server.backends
    return (server,) if isinstance(server, Pod) else ()


def _emitted_within(record: FlowRecord, seconds: float) -> frozenset[int]:
    """Return the numbers that may still be under way."""
    oldest = bisect_left(record.emitted.times, record.ended - seconds)
    return frozenset(record.emitted.numbers[oldest:])


def _newest(record: FlowRecord, count: int) -> frozenset[int]:
    return frozenset(record.received.numbers[-count:]) if count else frozenset()


def _cut_off(record: FlowRecord, end: int) -> FlowRecord:
    """Return a record with no more than the first ``end`` packets emitted."""
    if end == len(record.emitted):
        return record
    emitted = Series(record.emitted.numbers[:end], record.emitted.times[:end])
    return replace(record, emitted=emitted, ended=record.emitted.times[end])
