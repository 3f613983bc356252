"""What mailboxes are told of lives, and how often."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.agents.beats import Beats
from reference_impl.agents.lease import read_told
from reference_impl.drivers.api import APIError, Object, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.names import CLUSTER_ID_LABEL, CONTESTED, HEARTBEATS
from reference_impl.protocols.heartbeat import EXPIRY, Life

if TYPE_CHECKING:
    from collections.abc import Coroutine

MAILBOXES = {name: f"mailbox-{name}" for name in ("east", "west", "north")}
DURATION = 6


class Counting(FakeAPI):
    """A broker that counts what is written to ConfigMaps, and may be out of reach."""

    told = 0
    away = False

    async def merge(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        self.told += resource is Resource.CONFIG_MAP
        return await super().merge(resource, name, namespace, patch)

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        if self.away:
            raise APIError("out of reach")
        return await super().list(resource, namespace, labels=labels, name=name)


class Ground:
    """Mailboxes, whose members beat when they are told to, and a clock."""

    def __init__(self) -> None:
        self.api = Counting()
        self.now = 1000.0
        self.number = 0
        self.beats = self.agent()

    def agent(self) -> Beats:
        return Beats(self.api, lambda: None, lambda: self.now)

    async def beat(self, *members: str, contested: str = "") -> None:
        """Have members renew their Leases, without any agent of theirs."""
        self.number += 1
        for name in members:
            metadata = {
                "name": name,
                "namespace": MAILBOXES[name],
                "labels": {CLUSTER_ID_LABEL: name},
                "annotations": {CONTESTED: contested} if contested else {},
            }
            spec = {"holderIdentity": name, "leaseDurationSeconds": DURATION, "renewTime": str(self.number)}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
            await self.api.apply(Resource.LEASE, lease)

    async def look(self, seconds: float = 1.0) -> None:
        self.now += seconds
        await self.beats.step(MAILBOXES, {})

    async def said(self, reader: str) -> dict[str, Life | None]:
        found = await self.api.get(Resource.CONFIG_MAP, HEARTBEATS, MAILBOXES[reader])
        return {name: read_told(text).life for name, text in (found.get("data") or {}).items()}


def play(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


async def opened() -> Ground:
    """Return mailboxes in which everybody is known to be alive."""
    ground = Ground()
    for namespace in MAILBOXES.values():
        metadata = {"name": HEARTBEATS, "namespace": namespace}
        await ground.api.create(Resource.CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    await ground.beat(*MAILBOXES)
    await ground.look()
    return ground


def test_nothing_is_written_as_long_as_everybody_beats() -> None:
    async def story() -> None:
        ground = await opened()
        assert await ground.said("east") == {"west": Life.ALIVE, "north": Life.ALIVE}
        before = ground.api.told
        for _ in range(60):
            await ground.beat(*MAILBOXES)
            await ground.look()
        assert ground.api.told == before == len(MAILBOXES)

    play(story())


def test_others_are_told_once_that_one_is_stale_once_that_it_is_silent_and_once_that_it_is_back() -> None:
    async def story() -> None:
        ground, seen = await opened(), list[Life | None]()
        for _ in range(DURATION + int(EXPIRY) + 5):
            await ground.beat("east", "north")
            await ground.look()
            seen.append((await ground.said("east"))["west"])
        assert seen[DURATION - 2 :][:2] == [Life.ALIVE, Life.STALE]
        assert seen[DURATION + int(EXPIRY) - 2 :][:2] == [Life.STALE, Life.SILENT]
        assert ground.api.told == len(MAILBOXES) + 2 * 2
        await ground.beat(*MAILBOXES)
        await ground.look()
        assert (await ground.said("north"))["west"] is Life.ALIVE

    play(story())


def test_the_next_agent_revives_nobody() -> None:
    async def story() -> None:
        ground = await opened()
        for _ in range(DURATION + int(EXPIRY)):
            await ground.beat("east", "north")
            await ground.look()
        before = ground.api.told
        ground.beats = ground.agent()
        for _ in range(3):
            await ground.beat("east", "north")
            await ground.look()
            assert await ground.said("east") == {"west": Life.SILENT, "north": Life.ALIVE}
        assert ground.api.told == before

    play(story())


def test_nobody_grows_old_while_leases_cannot_be_listed() -> None:
    async def story() -> None:
        ground = await opened()
        ground.api.away = True
        for _ in range(60):
            try:
                await ground.look()
            except APIError:
                continue
            raise AssertionError("the list did not fail")
        ground.api.away = False
        await ground.look()
        assert set((await ground.said("east")).values()) == {Life.ALIVE}

    play(story())


def test_each_beat_of_a_clone_is_told() -> None:
    async def story() -> None:
        ground = await opened()
        for number in range(3):
            before = ground.api.told
            await ground.beat("west", contested=f"clone {number}")
            await ground.look()
            assert ground.api.told == before + 2

    play(story())
