"""Records of flows whose ends are on machines with clocks of their own."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from l3conf.continuity import FlowRecord, NumberedFlow, Position, Series, continuity
from l3conf.labs.existing.flows import PodFlows, by_our_clock, merged
from l3conf.probes.flow_messages import record_to_json

FLOW = NumberedFlow(
    id="5e" * 8, source="east/ns/a", destination=ip_address("10.2.0.2"), port=7100, receivers=("west/ns/b", "west/ns/c")
)
NOTHING = Series()


def record(*, emitted: Series = NOTHING, received: Series = NOTHING, ended: float = 0.0) -> FlowRecord:
    return FlowRecord(flow=FLOW, emitted=emitted, received=received, ended=ended)


def test_times_are_those_of_this_machine() -> None:
    theirs = record(emitted=Series([0, 1], [1000.0, 1000.01]), received=Series([0], [1000.5]), ended=1002.0)
    ours = by_our_clock(theirs, 1000.0)
    assert [round(time, 3) for time in (*ours.emitted.times, *ours.received.times, ours.ended)] == [0.0, 0.01, 0.5, 2.0]
    assert by_our_clock(record(), 1000.0).ended == 0.0, "not known stays not known"


def test_arrivals_at_several_receivers_are_one_series_in_the_order_of_time() -> None:
    whole = merged(
        FLOW,
        {
            "east/ns/a": record(emitted=Series([0, 1, 2, 3], [0.0, 0.01, 0.02, 0.03]), ended=0.04),
            "west/ns/b": record(received=Series([0, 3], [0.001, 0.031])),
            "west/ns/c": record(received=Series([1], [0.011])),
        },
    )
    assert list(whole.received.numbers) == [0, 1, 3]
    assert continuity(whole).lost == 1


class PaperSession:
    """One end; it has recorded one packet more whenever it is asked."""

    def __init__(self, place: str, offset: float) -> None:
        self.place, self.offset = place, offset
        self.asked: list[tuple[str, Any]] = []
        self._read = 0

    def ask(self, do: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        self.asked.append((do, arguments))
        if do != "flows":
            return None
        (position,) = arguments["positions"]
        one = Series([self._read], [self.offset + self._read])
        assert max(position[1:]) == self._read
        self._read += 1
        sends = self.place == FLOW.source
        return [record_to_json(record(emitted=one if sends else NOTHING, received=NOTHING if sends else one))]


def test_each_end_is_asked_only_for_what_is_new_there() -> None:
    flow = NumberedFlow(**{**{name: getattr(FLOW, name) for name in FLOW.__slots__}, "receivers": ("west/ns/b",)})
    sessions = {place: PaperSession(place, offset) for place, offset in (("east/ns/a", 50.0), ("west/ns/b", -7.0))}
    running = PodFlows([flow], sessions)  # type: ignore[arg-type]
    running.start()
    running()
    (seen,) = running()
    running.stop()
    running.forget()
    assert (list(seen.emitted.numbers), list(seen.emitted.times)) == ([0, 1], [0.0, 1.0])
    assert (list(seen.received.numbers), list(seen.received.times)) == ([0, 1], [0.0, 1.0])
    assert [do for do, _ in sessions["west/ns/b"].asked] == [
        "start_flows", "flows", "flows", "stop_flows", "forget_flows",
    ]  # fmt: skip
    assert sessions["west/ns/b"].asked[1][1]["positions"] == [Position(flow.id)]
