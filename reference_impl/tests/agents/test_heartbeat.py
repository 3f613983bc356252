"""Gateways beat at the broker, see who does not, and find clones of themselves."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.heartbeat import Heartbeat
from reference_impl.agents.lease import told
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.hooks.manifests import mailbox_name
from reference_impl.names import BROKER_NAMESPACE, CONTESTED, GATEWAY_LEASE, HEARTBEATS, MEMBER_NAMESPACE
from reference_impl.protocols.election import Role
from reference_impl.protocols.heartbeat import Beat, Life
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object


async def conditions_of(cluster: FakeCluster, other: str) -> dict[str, Object]:
    try:
        found = await cluster.api.get(Resource.CLUSTER, other, MEMBER_NAMESPACE)
    except NotFoundError:
        return {}
    return {one["type"]: one for one in (found.get("status") or {}).get("conditions") or []}


async def made(number: int, name: str, uid: str) -> FakeCluster:
    cluster = FakeCluster(number, name)
    await cluster.add_nodes(1)
    metadata = {"name": GATEWAY_LEASE, "namespace": MEMBER_NAMESPACE, "uid": uid}
    await cluster.api.create(Resource.LEASE, {"metadata": metadata, "spec": {}})
    return cluster


def test_a_member_that_stops_beating_is_unknown_and_stays_connected_in_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        monkeypatch.setattr("reference_impl.protocols.heartbeat.INTERVAL", 0.2)
        broker = FakeAPI()
        east, west = await made(1, "east", "e"), await made(2, "west", "w")
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            kernel = east.kernel(0)

            async def says(status: str) -> bool:
                return (await conditions_of(east, "west")).get("Alive", {}).get("status") == status

            async with running(east.gateway(0, broker, kernel, one).run()):
                async with running(west.gateway(0, broker, west.kernel(0), two).run()):
                    await eventually(lambda: says("True"), "east sees west alive")
                    lease = await broker.get(Resource.LEASE, "west", BROKER_NAMESPACE)
                    assert lease["spec"]["holderIdentity"].startswith("w/west-0/")
                before = kernel.observe().state
                assert before.links
                await eventually(lambda: says("Unknown"), "east sees that west is silent")
                assert kernel.observe().state == before

    asyncio.run(story())


def test_a_clone_publishes_nothing_and_everybody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr("reference_impl.protocols.heartbeat.INTERVAL", 0.2)
        broker = FakeAPI()
        east, west, clone = await made(1, "east", "e"), await made(2, "west", "w"), await made(3, "west", "c")
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two, closing(FakeEcho()) as three:

            async def published() -> bool:
                return len((await broker.list(Resource.ENDPOINT, BROKER_NAMESPACE))[0]) == 2

            async def told() -> bool:
                accepted = (await conditions_of(east, "west")).get("Accepted", {})
                try:
                    own = [(await each.gateway_status())["conditions"] for each in (west, clone)]
                except NotFoundError:
                    return False
                reasons = [{one["reason"] for one in each if one["type"] == "Accepted"} for each in own]
                return [{accepted.get("reason")}, *reasons] == [{"IdentityConflict"}] * 3

            async with running(
                east.gateway(0, broker, east.kernel(0), one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):
                await eventually(published, "both are at the broker")
                before, _ = await broker.list(Resource.ENDPOINT, BROKER_NAMESPACE)
                async with running(clone.gateway(0, broker, clone.kernel(0), three).run()):
                    await eventually(told, "everybody is told of the clone")
                after, _ = await broker.list(Resource.ENDPOINT, BROKER_NAMESPACE)
                assert before == after

    asyncio.run(story())


class Listed(FakeAPI):
    """A broker that counts lists of Leases."""

    lists = 0

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        self.lists += resource is Resource.LEASE
        return await super().list(resource, namespace, labels=labels, name=name)


def test_in_a_mailbox_a_gateway_looks_at_its_lease_again_only_when_somebody_else_wrote_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        monkeypatch.setattr("reference_impl.protocols.heartbeat.INTERVAL", 0.1)
        broker, there = Listed(), mailbox_name("west")
        west = FakeCluster(2, "west", mailbox=there)
        await west.add_nodes(1)
        metadata = {"name": GATEWAY_LEASE, "namespace": MEMBER_NAMESPACE, "uid": "w"}
        await west.api.create(Resource.LEASE, {"metadata": metadata, "spec": {}})

        async def renewed() -> str:
            found, _ = await FakeAPI.list(broker, Resource.LEASE, there)
            return str(found[0]["spec"]["renewTime"]) if found else ""

        async def beats_on(since: str) -> bool:
            return await renewed() != since

        async def contested() -> bool:
            try:
                conditions = (await west.gateway_status())["conditions"]
            except NotFoundError:
                return False
            return "IdentityConflict" in {one["reason"] for one in conditions if one["type"] == "Accepted"}

        with closing(FakeEcho()) as echo:
            async with running(west.gateway(0, broker, west.kernel(0), echo).run()):
                await eventually(lambda: beats_on(""), "it beats")
                for _ in range(5):
                    since = await renewed()
                    await eventually(lambda since=since: beats_on(since), "it beats on")  # type: ignore[misc]
                assert broker.lists == 1
                clone = {"metadata": {"annotations": {CONTESTED: "elsewhere/x/1 1"}}}
                await broker.merge(Resource.LEASE, "west", there, clone)
                await eventually(contested, "it says that somebody else presents its identity")
                await broker.delete(Resource.LEASE, "west", there)
                await eventually(lambda: beats_on(""), "it makes its Lease again")

    asyncio.run(story())


class Mailbox(FakeAPI):
    """Counts how often its ConfigMap is read; may give members no right to watch it."""

    def __init__(self, *, watched: bool) -> None:
        super().__init__()
        self._watched = watched
        self.read = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        self.read += resource is Resource.CONFIG_MAP
        return await super().get(resource, name, namespace)

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        if resource is Resource.CONFIG_MAP and (not self._watched or name != HEARTBEATS):
            raise APIError("no rights", 403)
        return await super().list(resource, namespace, labels=labels, name=name)


@pytest.mark.parametrize("watched", [True, False])
def test_a_mailbox_is_watched_where_members_may_and_read_again_and_again_where_not(
    monkeypatch: pytest.MonkeyPatch,
    watched: bool,  # noqa: FBT001 - a row of the table
) -> None:
    async def story() -> None:
        monkeypatch.setattr("reference_impl.protocols.heartbeat.INTERVAL", 0.05)
        there = mailbox_name("west")
        broker = Mailbox(watched=watched)
        await broker.create(Resource.CONFIG_MAP, {"metadata": {"name": HEARTBEATS, "namespace": there}, "data": {}})
        beats = Heartbeat(
            "west",
            "west-0",
            (MEMBER_NAMESPACE, there),
            member=(await made(2, "west", "w")).api,
            broker=broker,
            role=lambda: Role.ACTIVE,
            changed=lambda: None,
            confirms=lambda: asyncio.sleep(0, result=True),
        )

        async def knows(life: Life) -> bool:
            return beats.lives.get("east") is life

        async with running(beats.run()):
            for life in (Life.ALIVE, Life.STALE, Life.ALIVE):
                said = told(Beat(holder="e", renewed="now", duration=6.0), life)
                await broker.merge(Resource.CONFIG_MAP, HEARTBEATS, there, {"data": {"east": said}})
                await eventually(lambda life=life: knows(life), "it has read it")  # type: ignore[misc]
            assert (broker.read <= 1) is watched

    asyncio.run(story())
