"""Numbered flows between pods: each end records its part, on its own machine's clock."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.continuity import FlowRecord, NumberedFlow, Position, Series
from l3conf.probes.flow_messages import flow_to_json, record_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.labs.existing.sessions import PodSession


class PodFlows:
    """Flows under way (``labs.base.FlowReader``)."""

    def __init__(self, flows: Sequence[NumberedFlow], sessions: Mapping[str, PodSession]) -> None:
        """``sessions``: by place, of all sources and receivers."""
        self._flows = flows
        self._sessions = sessions
        self._of = {place: [flow for flow in flows if place in (flow.source, *flow.receivers)] for place in sessions}
        self._parts: dict[tuple[str, str], FlowRecord] = {}
        """By place and flow: what that end has recorded so far, in times of this machine."""

    def start(self) -> None:
        """Tell every end of its flows, receivers first: what nobody expects is not counted."""
        sources = {flow.source for flow in self._flows}
        for place in sorted(self._of, key=lambda place: place in sources):
            self._sessions[place].ask("start_flows", flows=[flow_to_json(flow) for flow in self._of[place]])

    def __call__(self) -> list[FlowRecord]:
        """Return what both ends have recorded so far, in the order of the flows."""
        for place, flows in self._of.items():
            known = [self._parts.get((place, flow.id)) for flow in flows]
            positions = [
                Position(flow.id) if part is None else part.position for flow, part in zip(flows, known, strict=True)
            ]
            answers = self._sessions[place].ask("flows", positions=positions)
            for flow, part, answer in zip(flows, known, answers, strict=True):
                news = by_our_clock(record_from_json(flow, answer), self._sessions[place].offset)
                self._parts[place, flow.id] = news if part is None else part.then(news)
        return [
            merged(flow, {place: self._parts[place, flow.id] for place in (flow.source, *flow.receivers)})
            for flow in self._flows
        ]

    def stop(self) -> None:
        """Emit nothing more; what is under way is still recorded. Idempotent."""
        self._tell("stop_flows")

    def forget(self) -> None:
        """Stop flows and drop their records. Idempotent."""
        self._tell("forget_flows")

    def _tell(self, do: str) -> None:
        for place, flows in self._of.items():
            self._sessions[place].ask(do, ids=[flow.id for flow in flows])


def by_our_clock(record: FlowRecord, offset: float) -> FlowRecord:
    """Return a record of a pod whose clock is ``offset`` seconds ahead, in times of this machine. Pure."""
    return replace(
        record,
        emitted=_earlier(record.emitted, offset),
        received=_earlier(record.received, offset),
        ended=record.ended - offset if record.ended else 0.0,
    )


def merged(flow: NumberedFlow, parts: Mapping[str, FlowRecord]) -> FlowRecord:
    """Return the record of a flow from what the places at its ends have recorded, all by one clock. Pure."""
    arrivals = sorted(
        (moment, number)
        for part in parts.values()
        for number, moment in zip(part.received.numbers, part.received.times, strict=True)
    )
    return replace(
        parts[flow.source],
        received=Series(array("Q", [number for _, number in arrivals]), array("d", [moment for moment, _ in arrivals])),
        overflown=sum(part.overflown for part in parts.values()),
        strayed=sum(part.strayed for part in parts.values()),
    )


def _earlier(series: Series, seconds: float) -> Series:
    return Series(series.numbers, array("d", [moment - seconds for moment in series.times]))
