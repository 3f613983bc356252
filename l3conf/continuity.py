"""Numbered flows, what both ends recorded of them, and what that says of the path between. Pure.

Restart counts are not downtime and reconnecting hides it; so continuity is measured in packets. A sender emits
numbered datagrams at a fixed rate, a receiver notes each number as it comes, and the two records are compared.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.model.topology import IPAddress

SMALLEST = 32
"""Bytes of payload that hold a flow's identity, a number and a checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedFlow:
    """UDP datagrams from a place to an address, numbered from 0, one a period."""

    id: str
    """16 hex digits, unique in the lab: what the receiver knows the flow by."""
    source: str
    """Place that sends (``labs.base``)."""
    destination: IPAddress
    port: int
    receivers: tuple[str, ...]
    """Places at which its packets count; what arrives elsewhere is ``strayed``."""
    rate: float = 100.0
    """Packets a second."""
    size: int = 64
    """Bytes of payload."""
    fresh: bool = False
    """Every packet from a port of its own: each is a new flow to whoever tracks connections."""

    @property
    def period(self) -> float:
        """Seconds between two numbers."""
        return 1.0 / self.rate


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers in the order in which one end met them, and when (``time.monotonic`` of that end's machine)."""

    numbers: Sequence[int] = ()
    times: Sequence[float] = ()

    def __len__(self) -> int:
        """Return how many packets there were."""
        return len(self.numbers)

    def then(self, news: Series) -> Series:
        """Return this series and what came after it."""
        numbers, times = array("Q", self.numbers), array("d", self.times)
        numbers.extend(news.numbers)
        times.extend(news.times)
        return Series(numbers, times)


class Position(NamedTuple):
    """How far a reader has read the record of a flow: series are long, and only what is new is asked for."""

    id: str
    emitted: int = 0
    """Packets of each end that it has."""
    received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecord:
    """What both ends have recorded of a flow so far."""

    flow: NumberedFlow
    emitted: Series
    """Also what the sender's kernel refused; numbers that a late sender left out are missing."""
    received: Series
    ended: float = 0.0
    """When the sender stopped, or when this was recorded (``time.monotonic`` of the sender); 0: not known."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """How often the sender's own kernel did not take a packet, by the errno's name."""
    overflown: int = 0
    """Packets that a receiver's socket dropped because nobody read it: the harness was deaf to them."""
    strayed: int = 0
    """Packets that reached a place that is none of the flow's receivers."""
    flaw: str = ""
    """Why the sender stopped before it was told to; empty if it did not."""

    @property
    def position(self) -> Position:
        """How far this record goes."""
        return Position(self.flow.id, len(self.emitted), len(self.received))

    def then(self, news: FlowRecord) -> FlowRecord:
        """Return this record and what was read beyond it."""
        return replace(news, emitted=self.emitted.then(news.emitted), received=self.received.then(news.received))


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of numbers that never arrived."""

    first: int
    last: int
    began: float
    """When the first of them was emitted (``time.monotonic`` of the sender)."""
    seconds: float
    """From the first missing number to the next one emitted after the last: missing numbers times the period, as
    long as the sender keeps its time."""
    missing: int
    """Numbers that were emitted and did not arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuity:
    """A flow, judged."""

    flow: NumberedFlow
    sent: int
    arrived: int
    """Different numbers that arrived."""
    duplicated: int
    """Arrivals beyond the first of their number."""
    reordered: int
    """Arrivals, each number's first, whose number is below one that arrived before (RFC 4737 section 3.3)."""
    extent: int
    """Greatest reordering extent: how many arrivals back the first greater number came (RFC 4737 section 4.2.1)."""
    gaps: tuple[Gap, ...]
    silence: float
    """Longest time in which the sender emitted nothing: what happened then, nobody could see."""

    @property
    def lost(self) -> int:
        """Numbers that were emitted and did not arrive."""
        return sum(gap.missing for gap in self.gaps)

    @property
    def longest_outage(self) -> float:
        """Seconds of the longest gap; 0 if nothing was lost."""
        return max((gap.seconds for gap in self.gaps), default=0.0)


def continuity(record: FlowRecord, *, since: int = 0, until: int | None = None) -> Continuity:
    """Judge the numbers ``since`` to ``until`` (excluded; None: all that were emitted) of a flow."""
    window = [
        (number, time)
        for number, time in zip(record.emitted.numbers, record.emitted.times, strict=True)
        if number >= since and (until is None or number < until)
    ]
    sent = {number for number, _ in window}
    arrivals = [number for number in record.received.numbers if number in sent]
    first_arrivals = list(dict.fromkeys(arrivals))
    reordered, extent = _reordering(first_arrivals)
    return Continuity(
        flow=record.flow,
        sent=len(window),
        arrived=len(first_arrivals),
        duplicated=len(arrivals) - len(first_arrivals),
        reordered=reordered,
        extent=extent,
        gaps=tuple(_gaps(window, frozenset(arrivals), record.flow.period)),
        silence=_silence([moment for _, moment in window], record.ended if until is None else 0.0),
    )


def clean_since(record: FlowRecord, seconds: float) -> bool:
    """Whether all that was emitted in some stretch of ``seconds`` up to the newest arrival has arrived."""
    if not len(record.received):
        return False
    newest = max(record.received.numbers)
    arrived = frozenset(record.received.numbers)
    end = None
    for number, time in zip(reversed(record.emitted.numbers), reversed(record.emitted.times), strict=True):
        if number > newest:
            continue
        if number not in arrived:
            return False
        end = time if end is None else end
        if end - time >= seconds:
            return True
    return False


def _gaps(window: Sequence[tuple[int, float]], arrived: frozenset[int], period: float) -> list[Gap]:
    gaps: list[Gap] = []
    run: list[tuple[int, float]] = []
    # What follows the last number would have been emitted a period later.
    beyond = [(window[-1][0] + 1, window[-1][1] + period)] if window else []
    for number, time in [*window, *beyond]:
        if number not in arrived and (number, time) not in beyond:
            run.append((number, time))
        elif run:
            (first, began), (last, _) = run[0], run[-1]
            gaps.append(Gap(first, last, began, time - began, len(run)))
            run = []
    return gaps


def _silence(moments: Sequence[float], ended: float) -> float:
    last = [max(ended, moments[-1])] if moments else []
    return max((after - before for before, after in pairwise([*moments, *last])), default=0.0)


def _reordering(arrivals: Sequence[int]) -> tuple[int, int]:
    """Return how many arrivals came too late, and the greatest extent."""
    reordered, extent = 0, 0
    # Of each arrival that was greater than all before: where it came, and its number.
    positions: list[int] = []
    greatest: list[int] = []
    for position, number in enumerate(arrivals):
        if not greatest or number > greatest[-1]:
            positions.append(position)
            greatest.append(number)
            continue
        reordered += 1
        extent = max(extent, position - positions[bisect_right(greatest, number)])
    return reordered, extent
