"""Numbered flows through a real path: their schedule, their loss, and what each end knows."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from l3conf.continuity import FlowRecord, NumberedFlow, Position, continuity
from l3conf.errors import LabError
from l3conf.probes.flow_messages import record_from_json
from l3conf.probes.wire import PORT
from l3conf.tests.probes.ground import A6, B6, A, B, Ground, load, routed_pair, run_in
from l3conf.tests.probes.test_prober import with_prober
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from l3conf.probes.prober import Prober


def flow(
    number: int = 0, destination: IPv4Address | IPv6Address = B, *, rate: float = 200.0, size: int = 64
) -> NumberedFlow:
    """From a to b, or the other way round for a's addresses."""
    source, receiver = ("b", "a") if destination in (A, A6) else ("a", "b")
    return NumberedFlow(
        id=f"{number:016x}",
        source=source,
        destination=destination,
        port=PORT,
        receivers=(receiver,),
        rate=rate,
        size=size,
    )


def run(ground: Ground, *flows: NumberedFlow, packets: int) -> list[FlowRecord]:
    """Send at least so many packets of each flow and let them arrive."""
    engine = ground.engine
    ids = [each.id for each in flows]
    positions = [Position(each) for each in ids]
    engine.flows.start(flows)
    while any(len(record.emitted) < packets for record in engine.flows.records(positions)):
        engine.step(0.05)
    engine.flows.stop(ids)
    for _ in range(5):
        engine.step(0.01)
    return engine.flows.records(positions)


@sandboxed
def test_every_number_arrives_once_and_in_order_over_both_families_and_directions() -> None:
    with routed_pair() as ground:
        targets: list[IPv4Address | IPv6Address] = [A, B, A6, B6, B, B]
        flows = [flow(index, target) for index, target in enumerate(targets)]
        for record in run(ground, *flows, packets=40):
            seen = continuity(record)
            assert (seen.lost, seen.duplicated, seen.reordered, record.strayed, record.overflown) == (0, 0, 0, 0, 0)
            assert list(record.received.numbers) == list(record.emitted.numbers)


@sandboxed
@pytest.mark.parametrize(("fresh", "fewest", "most"), [(False, 1, 1), (True, 15, 200)])
def test_fresh_packets_come_from_ports_of_their_own(fresh: bool, fewest: int, most: int) -> None:  # noqa: FBT001 - a case
    """What tracks connections on the way sees a new one with each; a common flow stays one."""
    ports = "table ip seen {\nset ports {\ntype inet_service\nsize 1024\nflags dynamic\n}\n"
    ports += "chain c {\ntype filter hook forward priority 0;\nmeta l4proto udp add @ports { udp sport }\n}\n}\n"
    with routed_pair() as ground:
        run_in(ground.router, "nft -f -", ports)
        (record,) = run(ground, replace(flow(), fresh=fresh), packets=20)
        assert continuity(record).lost == 0
        listed = json.loads(run_in(ground.router, "nft -j list set ip seen ports"))
        assert fewest <= len(listed["nftables"][1]["set"]["elem"]) <= most


@sandboxed
def test_the_schedule_does_not_drift() -> None:
    """Whatever each wake-up costs, a number is emitted no earlier than due and the last is not late by their sum."""
    with routed_pair() as ground:
        (record,) = run(ground, flow(rate=1000.0), packets=300)
        numbers, times = record.emitted.numbers, record.emitted.times
        start = min(moment - number / 1000.0 for number, moment in zip(numbers, times, strict=True))
        lateness = [moment - start - number / 1000.0 for number, moment in zip(numbers, times, strict=True)]
        assert max(lateness) <= 0.02  # what is later is left out, however busy the machine is
        assert numbers[-1] + 1 >= len(numbers)


@sandboxed
def test_what_a_busy_harness_missed_is_left_out_and_not_sent_in_a_burst() -> None:
    with routed_pair() as ground:
        ground.engine.flows.start([flow(rate=100.0)])
        for _ in range(10):
            ground.engine.step(0.01)
        time.sleep(0.2)
        record = run_on(ground)
        seen = continuity(record)
        assert seen.silence >= 0.2
        assert seen.lost == 0
        assert len(record.emitted) <= record.emitted.numbers[-1] + 1 - 15


def run_on(ground: Ground) -> FlowRecord:
    for _ in range(20):
        ground.engine.step(0.01)
    ground.engine.flows.stop([flow().id])
    ground.engine.step(0.01)
    (record,) = ground.engine.flows.records([Position(flow().id)])
    return record


@sandboxed
def test_what_the_path_drops_is_lost_and_only_that() -> None:
    with routed_pair() as ground:
        load(ground.router, "filter hook forward priority 0", "udp length > 500 drop")
        small, large = run(ground, flow(0), flow(1, size=600), packets=20)
        assert continuity(small).lost == 0
        assert continuity(large).lost == len(large.emitted)
        assert len(large.received) == 0


@sandboxed
def test_what_the_senders_own_kernel_refuses_is_told_by_its_name() -> None:
    with routed_pair() as ground:
        load(ground.a, "filter hook output priority 0", "udp dport 7100 drop")
        (record,) = run(ground, flow(), packets=10)
        assert record.refused == {"EPERM": len(record.emitted)}


@sandboxed
def test_what_arrives_elsewhere_is_no_arrival() -> None:
    with routed_pair() as ground:
        astray = NumberedFlow(id="ab" * 8, source="a", destination=B, port=PORT, receivers=("somebody else",))
        (record,) = run(ground, astray, packets=10)
        assert (len(record.received), record.strayed) == (0, len(record.emitted))


@sandboxed
def test_a_socket_that_nobody_reads_says_how_much_it_dropped() -> None:
    with routed_pair() as ground:
        server = ground.engine._places["b"]._server
        assert server is not None
        for sock in server._sockets:
            sock.setsockopt(1, 8, 2304)  # SO_RCVBUF, the smallest
        flows = [flow(index, rate=2000.0) for index in range(20)]
        ground.engine.flows.start(flows)
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            ground.engine.flows.emit_due()  # and never look at what arrives
        records = run_out(ground, flows)
        assert sum(continuity(record).lost for record in records) > 0
        assert all(record.overflown > 0 for record in records)


def run_out(ground: Ground, flows: list[NumberedFlow]) -> list[FlowRecord]:
    """Let the newest packets, which carry the count, arrive."""
    for _ in range(10):
        ground.engine.step(0.01)
    ground.engine.flows.stop([each.id for each in flows])
    return ground.engine.flows.records([Position(each.id) for each in flows])


@sandboxed
def test_a_sender_whose_place_is_removed_says_so() -> None:
    with routed_pair() as ground:
        ground.engine.flows.start([flow()])
        ground.engine.step(0.01)
        ground.engine.remove_place("a")
        ground.engine.step(0.01)
        (record,) = ground.engine.flows.records([Position(flow().id)])
        assert record.flaw == "place a was removed"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (flow(rate=0.0), "rate of 0"),
        (flow(rate=1e6), "rate of 1e"),
        (flow(size=31), "size 31"),
        (flow(size=70000), "size 70000"),
        (NumberedFlow(id="ab", source="a", destination=B, port=PORT, receivers=("b",)), "identity"),
    ],
)
@sandboxed
def test_impossible_flows_are_refused_and_none_of_their_company_begins(bad: NumberedFlow, words: str) -> None:
    with routed_pair() as ground:
        with pytest.raises(LabError, match=words):
            ground.engine.flows.start([flow(7), bad])
        with pytest.raises(LabError, match="no flow"):
            ground.engine.flows.records([Position(flow(7).id)])
        ground.engine.flows.start([flow(7)])
        with pytest.raises(LabError, match="already"):
            ground.engine.flows.start([flow(7)])


@sandboxed
def test_a_reader_is_given_only_what_it_has_not_read() -> None:
    async def use(_ground: Ground, prober: Prober) -> None:
        await prober.start_flows([flow()])
        first = await _read(prober, Position(flow().id))
        await asyncio.sleep(0.1)
        news = await _read(prober, first.position)
        await prober.stop_flows([flow().id])
        whole = await _read(prober, Position(flow().id))
        assert len(news.emitted) > 0
        assert list(first.then(news).emitted.numbers) == list(whole.emitted.numbers)[: len(first.then(news).emitted)]
        await prober.forget_flows([flow().id])
        with pytest.raises(LabError, match="no flow"):
            await _read(prober, first.position)

    with_prober(use)


async def _read(prober: Prober, position: Position) -> FlowRecord:
    (value,) = await prober.flow_records([position])
    return record_from_json(flow(), value)
