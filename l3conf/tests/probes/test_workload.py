"""A probe pod serves from start to signal, like a process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.node_runtime import BuiltinWorkload, PodNetwork, RunningProcess
from l3conf.errors import LabError
from l3conf.observation import Outcome, Probe
from l3conf.probes.prober import Prober
from l3conf.probes.workload import ProbeWorkload
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

BOUND = 20.0
PLACE = "east/l3conf-probes/probe-east-1"
LOOPBACK = ip_address("127.0.0.1")


class Pod:
    """A probe pod in the sandbox's own namespace."""

    def __init__(self, prober: Prober) -> None:
        self.prober = prober
        self.log: list[str] = []
        self.workload: BuiltinWorkload = ProbeWorkload(prober)
        self.network = PodNetwork(pod_uid="1", namespace_path="/proc/self/ns/net", addresses=(LOOPBACK,))

    async def start(self, place: str = PLACE) -> RunningProcess:
        return await self.workload.start(place, {}, self.network, self.log.append)

    async def answers(self) -> bool:
        (seen,) = await self.prober.run([Probe(source="client", destination=LOOPBACK, port=7100, timeout=5)])
        assert seen.outcome in (Outcome.DELIVERED, Outcome.REFUSED)
        return seen.outcome is Outcome.DELIVERED


@asynccontextmanager
async def pod_ground() -> AsyncIterator[Pod]:
    prober = await Prober.start()
    try:
        with NetworkNamespace.current() as here:
            await prober.add_place("client", here.path, serve=False)
        yield Pod(prober)
    finally:
        await prober.stop()


def run(use: Callable[[Pod], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(BOUND), pod_ground() as pod:
            await use(pod)

    asyncio.run(main())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, 137), (signal.SIGINT, 130)])
@sandboxed
def test_a_signal_ends_the_pod_and_closes_its_sockets(number: int, code: int) -> None:
    async def use(pod: Pod) -> None:
        assert not await pod.answers()
        process = await pod.start()
        assert await pod.answers()
        process.signal(number)
        assert await process.wait() == code
        assert await process.wait() == code
        assert not await pod.answers()
        process.signal(number)

    run(use)


@sandboxed
def test_its_log_tells_what_it_serves_and_how_it_ended() -> None:
    async def use(pod: Pod) -> None:
        process = await pod.start()
        process.signal(signal.SIGUSR1)
        process.signal(signal.SIGTERM)
        await process.wait()
        assert pod.log == [
            f"l3conf probe: serving UDP and TCP port 7100 on 127.0.0.1 as {PLACE}\n",
            "l3conf probe: ended by SIGTERM\n",
        ]

    run(use)


@sandboxed
def test_a_pod_made_again_under_its_name_serves_after_its_predecessor_has_closed() -> None:
    async def use(pod: Pod) -> None:
        for _ in range(20):
            process = await pod.start()
            process.signal(signal.SIGKILL)
        second = await pod.start()
        assert await pod.answers()
        assert await process.wait() == 137
        second.signal(signal.SIGKILL)
        await second.wait()

    run(use)


@sandboxed
def test_a_taken_port_is_told_in_the_log_and_to_the_kubelet() -> None:
    async def use(pod: Pod) -> None:
        await pod.start()
        with pytest.raises(LabError, match="7100"):
            await pod.start("east/l3conf-probes/other")
        assert "7100" in pod.log[-1]

    run(use)


@sandboxed
def test_the_end_of_the_prober_is_the_end_of_its_pods() -> None:
    async def use(pod: Pod) -> None:
        process = await pod.start()
        await pod.prober.stop()
        assert await process.wait() == 255

    run(use)
