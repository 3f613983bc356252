"""Two gateways of one cluster over loopback: what the one knows, the other is ready for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.agents.handover import Handover
from reference_impl.drivers.fake_service_flows import FakeServiceFlows
from reference_impl.flows import ServiceFlow
from reference_impl.mutants import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

LEADER, STANDBY = ip_address("127.0.0.21"), ip_address("127.0.0.22")
SERVICES = (ip_network("10.101.0.0/16"),)
INSIDE, HERE = (ip_network("10.1.0.0/16"),), (ip_network("10.1.2.0/24"),)
OLD = ServiceFlow(6, ip_address("10.2.0.7"), 40000, ip_address("10.101.0.9"), 80, ip_address("10.1.3.3"), 8080)
NEW = replace(OLD, client_port=40001)
AT_HOME = replace(OLD, client_port=40002, backend=ip_address("10.1.2.4"))


class Pair:
    """The active gateway and the one that stands by, each with a kernel of its own."""

    def __init__(self, secret: Path, other_secret: Path) -> None:
        self.kernels = FakeServiceFlows(), FakeServiceFlows()
        self.agents = tuple(
            Handover(lambda kernel=kernel: kernel, SERVICES, file, Mutant())  # type: ignore[misc]
            for kernel, file in zip(self.kernels, (secret, other_secret), strict=True)
        )
        self.tasks: list[asyncio.Task[None]] = []

    def look(self, *, moved: bool = False, alone: bool = False) -> None:
        """Have both see who leads; ``alone``: the second sees that the first is no gateway any more."""
        first, second = self.agents
        first.look(LEADER, [STANDBY], INSIDE, (), leads=not moved)
        second.look(STANDBY, [] if alone else [LEADER], INSIDE, HERE, leads=moved)

    def end(self, which: int) -> None:
        """End the agent of the first (0) or second (1) gateway."""
        self.tasks[which].cancel()


@asynccontextmanager
async def running(secret: Path, other_secret: Path | None = None) -> AsyncIterator[Pair]:
    pair = Pair(secret, other_secret or secret)
    pair.kernels[0].begin(OLD)
    pair.look()
    async with asyncio.TaskGroup() as tasks:
        # The standby listens before anything is said, as in any cluster that is not just beginning.
        pair.tasks = [tasks.create_task(agent.run()) for agent in reversed(pair.agents)][::-1]
        yield pair
        for task in pair.tasks:
            task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a datagram's arrival is no event
            await asyncio.sleep(0.01)


def token(folder: Path, text: str = "one") -> Path:
    file = folder / text
    file.write_text(text)
    return file


def test_what_there_is_and_what_begins_is_known_to_who_stands_by(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path)) as pair:
            await until(lambda: OLD in pair.kernels[1].known)
            pair.kernels[0].begin(NEW)
            await until(lambda: NEW in pair.kernels[1].known)

    asyncio.run(story())


def test_a_flow_to_a_backend_on_the_own_node_is_taken_when_the_node_leads(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path)) as pair:
            await until(lambda: OLD in pair.kernels[1].known)
            pair.kernels[0].begin(AT_HOME)
            pair.kernels[0].begin(NEW)
            await until(lambda: NEW in pair.kernels[1].known)
            assert AT_HOME not in pair.kernels[1].known
            pair.look(moved=True)
            assert pair.kernels[1].taken == {AT_HOME}

    asyncio.run(story())


def test_who_ends_tells_what_began_just_before(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path)) as pair:
            await until(lambda: OLD in pair.kernels[1].known)
            pair.kernels[0].begin(NEW)
            pair.end(0)  # before its loop has heard of the flow
            await until(lambda: NEW in pair.kernels[1].known)

    asyncio.run(story())


def test_who_is_relieved_tells_what_began_just_before(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path)) as pair:
            await until(lambda: OLD in pair.kernels[1].known)
            pair.kernels[0].begin(NEW)
            pair.kernels[0].begin(AT_HOME)
            pair.look(moved=True, alone=True)
            await until(lambda: pair.kernels[1].known >= {NEW, AT_HOME})
            assert pair.kernels[1].taken == {AT_HOME}

    asyncio.run(story())


def test_what_waits_to_be_read_survives_a_change(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path)) as pair:
            await until(lambda: OLD in pair.kernels[1].known)
            pair.kernels[0].begin(NEW)
            await asyncio.sleep(0)
            pair.agents[1].look(STANDBY, [LEADER], (), HERE, leads=False)
            await until(lambda: NEW in pair.kernels[1].known)

    asyncio.run(story())


def test_a_stranger_tells_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(token(tmp_path), token(tmp_path, "other")) as pair:
            pair.kernels[0].begin(NEW)
            await asyncio.sleep(0.3)
            assert pair.kernels[1].known == set()

    asyncio.run(story())
