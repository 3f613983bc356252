"""The prober process does what the engine does, beside an event loop, and never outlives who started it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError, LabGoneError
from l3conf.observation import Observation, Outcome, Protocol
from l3conf.probes import packets, wire
from l3conf.probes.prober import Prober, launch
from l3conf.tests.probes.ground import A, B, Ground, load, probe, routed_pair
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from l3conf.probes.prober import Child

BOUND = 20.0


@asynccontextmanager
async def prober_on(ground: Ground) -> AsyncIterator[Prober]:
    """Move the places of a ground from its engine to a prober process."""
    prober = await Prober.start()
    try:
        for name, namespace in (("a", ground.a), ("b", ground.b)):
            ground.engine.remove_place(name)
            await prober.add_place(name, namespace.path, serve=True)
        yield prober
    finally:
        await prober.stop()


def with_prober(use: Callable[[Ground, Prober], Awaitable[None]]) -> None:
    """Call ``use`` with a ground and a prober on it, within bounds."""

    async def main(ground: Ground) -> None:
        async with asyncio.timeout(BOUND), prober_on(ground) as prober:
            await use(ground, prober)

    with routed_pair() as ground:
        asyncio.run(main(ground))


def without_luck(seen: Observation) -> tuple[object, ...]:
    """Return what two runs of the same probe must agree on."""
    return (seen.probe, seen.outcome, seen.seen_as, seen.responder, seen.reporter, seen.mtu, seen.detail)


@sandboxed
def test_the_prober_observes_what_an_engine_observes() -> None:
    asked = [
        *(probe(protocol=protocol) for protocol in Protocol),
        *(probe(protocol=protocol, ttl=1) for protocol in Protocol),
        probe(port=9),
        probe(port=9, protocol=Protocol.TCP),
        probe(size=1400, dont_fragment=True),
        probe(protocol=Protocol.TCP, size=1 << 16, write_size=999),
        probe(source="nowhere"),
        probe(forged_source=A, timeout=0.1),
    ]

    async def use(_ground: Ground, prober: Prober) -> None:
        seen = await prober.run(asked)
        assert [each.probe for each in seen] == asked
        assert [without_luck(each) for each in seen] == [without_luck(each) for each in by_engine]
        sightings = await prober.sightings("b", [each.nonce for each in seen])
        assert {each.nonce for each in sightings} >= {each.nonce for each in seen if each.responder == "b"}

    with routed_pair() as ground:
        by_engine = ground.run(*asked)
    with_prober(use)


@sandboxed
def test_a_long_batch_holds_up_nothing_that_was_asked_after_it() -> None:
    async def use(ground: Ground, prober: Prober) -> None:
        load(ground.router, "filter hook forward priority 0", "udp dport 7100 drop")
        batch = [probe(timeout=BOUND) for _ in range(2000)]
        long = asyncio.create_task(prober.run(batch), name="a long batch")
        await prober.add_place("router", ground.router.path, serve=True)
        (seen,) = await prober.run([probe(B, source="router", protocol=Protocol.TCP)])
        assert seen.outcome is Outcome.DELIVERED
        assert await prober.sightings("router", [seen.nonce]) == []
        assert not long.done()
        await prober.remove_place("a")
        assert {each.outcome for each in await long} == {Outcome.HARNESS_ERROR}

    with_prober(use)


@sandboxed
def test_thousands_of_probes_at_once_lose_nothing_in_the_harness() -> None:
    async def use(_ground: Ground, prober: Prober) -> None:
        many = [probe(B if n % 2 else A, source="ab"[n % 2 - 1], size=1200) for n in range(5000)]
        streams = [probe(protocol=Protocol.TCP) for _ in range(2000)]
        assert {each.outcome for each in await prober.run(many)} == {Outcome.DELIVERED}
        assert {each.outcome for each in await prober.run(streams)} == {Outcome.DELIVERED}

    with_prober(use)


@sandboxed
def test_raw_packets_go_through_the_prober() -> None:
    async def use(_ground: Ground, prober: Prober) -> None:
        packet = packets.udp_packet(A, B, wire.PORT, wire.encode_query(b"by a raw", 40), ttl=9)
        await prober.raw("a", packet)
        await prober.run([probe(protocol=Protocol.ICMP)])  # went the same way after it
        assert len(await prober.sightings("b", [b"by a raw".hex()])) == 1
        with pytest.raises(LabError, match="no IP packet"):
            await prober.raw("a", b"nonsense")

    with_prober(use)


@sandboxed
def test_errors_of_the_prober_name_place_and_reason() -> None:
    async def use(ground: Ground, prober: Prober) -> None:
        with pytest.raises(LabError, match=r"/nowhere.*cannot open"):
            await prober.add_place("c", "/nowhere", serve=True)
        with pytest.raises(LabError, match=r"again.*7100.*in use"):
            await prober.add_place("again", ground.a.path, serve=True)
        with pytest.raises(LabError, match=r"nowhere.*listens"):
            await prober.sightings("nowhere", [])
        await prober.remove_place("nowhere")

    with_prober(use)


@sandboxed
def test_a_killed_prober_fails_everyone_who_waits() -> None:
    children: list[Child] = []

    def remember(argv: Sequence[str], descriptor: int) -> Child:
        children.append(launch(argv, descriptor))
        return children[-1]

    async def use(ground: Ground, _: Prober) -> None:
        prober = await Prober.start(remember)
        await prober.add_place("a", ground.a.path, serve=False)
        waiting = asyncio.create_task(prober.run([probe(ip_address("10.0.2.3"), timeout=BOUND)]))
        await asyncio.sleep(0)
        children[0].kill()
        with pytest.raises(LabGoneError):
            await waiting
        with pytest.raises(LabGoneError):
            await prober.sightings("a", [])
        await prober.wait_gone()
        await prober.stop()
        await prober.stop()

    with_prober(use)


_PARENT = """
import asyncio, sys
from l3conf.probes.prober import Prober
async def main():
    prober = await Prober.start()
    print((await prober._request("hello"))["pid"], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@sandboxed
def test_the_prober_dies_with_its_parent_even_by_sigkill() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        prober = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        ended, _, _ = select.select([prober], [], [], BOUND)
        os.close(prober)
    assert ended
