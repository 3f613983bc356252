"""Several gateways in one cluster, in memory: who leads, who follows, and what is said of it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import route_agent, succession
from reference_impl.agents.cache import Cache
from reference_impl.agents.route_agent import RouteAgent
from reference_impl.agents.sentry import Sentry
from reference_impl.agents.succession import Succession, ground
from reference_impl.drivers.api import ConflictError, NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.mutants import Mutant
from reference_impl.names import (
    BROKER_NAMESPACE,
    CABLE_METRIC,
    GATEWAY_LABEL,
    GATEWAY_LEASE,
    MEMBER_NAMESPACE,
    STANDBY_METRIC,
)
from reference_impl.planner.standbys import named_standbys
from reference_impl.protocols.election import ElectionTimings, Ground
from reference_impl.protocols.liveness import LivenessTimings
from reference_impl.protocols.object_codec import parse_endpoint
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.planner.facts import NODES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_impl.drivers.fake_kernel import FakeKernel

NODE_ADDRESSES = [ip_address(f"172.16.1.1{index}") for index in range(3)]
GATEWAYS = tuple(replace(node, is_gateway=node is not NODES[2]) for node in NODES)


@dataclass
class Cluster:
    """East with two gateway nodes, both running, the first one active; west with one."""

    east: FakeCluster
    broker: FakeAPI
    kernels: list[FakeKernel]
    echoes: list[FakeEcho]
    sentries: list[FakeEcho]
    first: asyncio.Task[None] = field(init=False)

    async def endpoints(self, api: FakeAPI, namespace: str) -> list[str]:
        found, _ = await api.list(Resource.ENDPOINT, namespace)
        return [each["spec"]["hostname"] for each in found if each["spec"]["cluster_id"] == "east"]

    async def label(self, index: int, value: str | None) -> None:
        await self.east.api.merge(Resource.NODE, f"east-{index}", "", {"metadata": {"labels": {GATEWAY_LABEL: value}}})

    def metrics(self, index: int) -> set[int]:
        return {route.metric for route in self.kernels[index].observe().state.routes}

    async def states(self) -> list[str]:
        found, _ = await self.east.api.list(Resource.GATEWAY, MEMBER_NAMESPACE)
        return [each["status"]["haStatus"] for each in sorted(found, key=lambda each: each["metadata"]["name"])]


@asynccontextmanager
async def two_gateways() -> AsyncIterator[Cluster]:
    east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
    with ExitStack() as stack:
        echoes = [stack.enter_context(closing(FakeEcho())) for _ in range(3)]
        sentries = [stack.enter_context(closing(FakeEcho())) for _ in range(2)]
        for sentry in sentries:
            sentry.alive |= {*NODE_ADDRESSES}
        cluster = Cluster(east, broker, [east.kernel(0), east.kernel(1)], echoes, sentries)
        await east.add_nodes(3, gateways=2)
        await west.add_nodes(1)
        programs = [
            east.gateway(index, broker, cluster.kernels[index], echoes[index], sentry=sentries[index])
            for index in range(2)
        ]
        async with running(programs[0].run(), west.gateway(0, broker, west.kernel(0), echoes[2]).run()) as tasks:
            cluster.first = tasks[0]
            await eventually(lambda: _is(cluster.metrics, 0, {CABLE_METRIC}), "the first one leads to west")
            async with running(programs[1].run()):
                await eventually(lambda: _is(cluster.metrics, 1, {STANDBY_METRIC}), "the second one is ready")
                await eventually(lambda: _asked(sentries[1], 3), "it watches the first one")
                yield cluster


async def _asked(sentry: FakeEcho, times: int) -> bool:
    return sentry.asked.count(NODE_ADDRESSES[0]) >= times


async def _is(metrics: object, index: int, wanted: set[int]) -> bool:
    return metrics(index) == wanted  # type: ignore[operator, no-any-return]


def test_the_active_gateway_names_the_one_that_stands_by() -> None:
    async def story() -> None:
        async with two_gateways() as cluster:

            async def named() -> bool:
                found, _ = await cluster.broker.list(Resource.ENDPOINT, BROKER_NAMESPACE)
                own = [parse_endpoint(each) for each in found if each["spec"]["cluster_id"] == "east"]
                return [[each.hostname for each in named_standbys(one)] for one in own] == [["east-1"]]

            await eventually(named, "the broker knows who may follow")

    asyncio.run(story())


def test_a_gateway_whose_node_died_is_followed_before_its_lease_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "ElectionTimings", lambda: ElectionTimings(lease=3600, renew_deadline=3000))

    async def story() -> None:
        async with two_gateways() as cluster:
            cluster.first.cancel()
            cluster.sentries[1].alive.discard(NODE_ADDRESSES[0])

            async def followed() -> bool:
                return await cluster.endpoints(cluster.broker, BROKER_NAMESPACE) == ["east-1"]

            await eventually(followed, "the broker knows the second one alone")
            assert cluster.metrics(1) >= {CABLE_METRIC}

            async def corrected() -> bool:
                return await cluster.states() == ["passive", "active"]

            await eventually(corrected, "nobody can take the dead one for active")

    asyncio.run(story())


def test_a_gateway_node_without_the_label_is_relieved_and_its_agent_does_not_fight_back() -> None:
    async def story() -> None:
        async with two_gateways() as cluster:
            await cluster.label(0, None)

            async def moved() -> bool:
                return await cluster.endpoints(cluster.east.api, MEMBER_NAMESPACE) == ["east-1"]

            await eventually(moved, "the second one leads")
            await eventually(lambda: _is(cluster.metrics, 0, {STANDBY_METRIC}), "the first one prefers it")
            await asyncio.sleep(0.5)
            assert await moved()
            assert not cluster.first.done()

    asyncio.run(story())


def test_a_standby_that_is_cut_off_itself_takes_nothing() -> None:
    async def story() -> None:
        async with two_gateways() as cluster:
            sentry = cluster.sentries[1]
            sentry.alive.clear()
            asked = sentry.asked.count(NODE_ADDRESSES[0])
            await eventually(lambda: _asked(sentry, asked + 15), "it asks in vain, thrice as often as it must")
            lease = await cluster.east.api.get(Resource.LEASE, GATEWAY_LEASE, MEMBER_NAMESPACE)
            assert lease["spec"]["holderIdentity"] == "east-0"

    asyncio.run(story())


def test_what_a_gateway_said_whose_node_is_none_any_more_is_taken_away() -> None:
    async def story() -> None:
        async with two_gateways() as cluster:
            api = cluster.east.api
            gone = {"apiVersion": "submariner.io/v1", "kind": "Gateway", "status": {"haStatus": "active"}}
            metadata = {"name": "east-9", "namespace": MEMBER_NAMESPACE}
            await api.create(Resource.GATEWAY, {**gone, "metadata": metadata})

            async def away() -> bool:
                try:
                    await api.get(Resource.GATEWAY, "east-9", MEMBER_NAMESPACE)
                except NotFoundError:
                    return True
                return False

            await eventually(away, "its Gateway is gone")

    asyncio.run(story())


def test_cables_of_a_node_that_was_relieved_are_taken_away_by_its_route_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_agent, "RELIEF", 0.5)

    async def story() -> None:
        async with two_gateways() as cluster:
            left = cluster.kernels[0]
            with closing(FakeEcho()) as echo:
                agent = RouteAgent(
                    cluster.east.settings("east-0"), cluster.east.api, cluster.east.kernel(0), echo, Mutant(), left
                )
                async with running(agent.run()):
                    await asyncio.sleep(1)
                    assert cluster.metrics(0) == {CABLE_METRIC}, "the active one's are not touched"
                    cluster.first.cancel()
                    await cluster.label(0, None)
                    await eventually(lambda: _is(cluster.metrics, 0, set()), "nothing is left of its cables")
                    assert not left.observe().state.links

    asyncio.run(story())


@pytest.mark.parametrize(
    ("nodes", "dead", "expected"),
    [
        (GATEWAYS, False, Ground.NONE),
        (GATEWAYS, True, Ground.SILENT),
        ((replace(GATEWAYS[0], is_gateway=False), *GATEWAYS[1:]), False, Ground.LEFT),
        ((replace(GATEWAYS[0], is_cordoned=True), *GATEWAYS[1:]), False, Ground.LEFT),
        (GATEWAYS[1:], False, Ground.LEFT),
        ((GATEWAYS[0], replace(GATEWAYS[1], is_cordoned=True)), True, Ground.NONE),
        (tuple(replace(node, is_cordoned=True) for node in GATEWAYS), False, Ground.NONE),
        (GATEWAYS[:1], True, Ground.NONE),
    ],
)
def test_a_lease_may_be_taken_from_who_left_or_fell_silent_by_who_may_lead(
    nodes: tuple[object, ...],
    dead: bool,  # noqa: FBT001 - a row of the table
    expected: Ground,
) -> None:
    assert ground("east-2", "east-1", nodes, dead=dead) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("witnesses", [0, 1])
def test_a_sentry_calls_a_node_dead_that_answers_nobody_else_either(witnesses: int) -> None:
    async def story() -> None:
        heard: list[bool] = []
        with closing(FakeEcho()) as echo:
            echo.alive |= {*NODE_ADDRESSES}
            sentry = Sentry(echo, lambda: heard.append(True), LivenessTimings(interval=0.02, patience=0.02))
            sentry.watch(NODE_ADDRESSES[0], NODE_ADDRESSES[1 : 1 + witnesses])
            async with running(sentry.run()):
                await eventually(lambda: _asked(echo, 10), "it asks")
                assert not heard
                echo.alive.discard(NODE_ADDRESSES[0])

                async def told() -> bool:
                    return heard == [True]

                await eventually(told, "it is found dead")
                assert sentry.finds_it_dead
                echo.alive.clear()
                asked = echo.asked.count(NODE_ADDRESSES[0])
                await eventually(lambda: _asked(echo, asked + 10), "it goes on asking")
                assert sentry.finds_it_dead is not bool(witnesses)

    asyncio.run(story())


def test_a_sentry_hears_nobody_while_it_watches_nobody() -> None:
    async def story() -> None:
        with closing(FakeEcho()) as echo:
            echo.alive |= {*NODE_ADDRESSES}
            sentry = Sentry(echo, lambda: None, LivenessTimings(interval=0.02))
            async with running(sentry.run()):
                for watches in (True, False, True):
                    sentry.watch(NODE_ADDRESSES[0] if watches else None, ())
                    if watches:
                        asked = echo.asked.count(NODE_ADDRESSES[0])
                        await eventually(lambda asked=asked: _asked(echo, asked + 3), "it asks")  # type: ignore[misc]
                        continue
                    await asyncio.sleep(0.1)
                    echo.send(NODE_ADDRESSES[1], 1, 1)  # an answer to somebody else on this node
                    await asyncio.sleep(0.05)
                    assert echo.receive() is not None

    asyncio.run(story())


def test_only_what_other_gateways_are_wakes_an_agent() -> None:
    async def story() -> None:
        woken: list[bool] = []
        east = FakeCluster(1, "east")
        await east.add_nodes(2, gateways=2)

        async def says(name: str, **status: object) -> None:
            metadata = {"name": name, "namespace": MEMBER_NAMESPACE}
            try:
                await east.api.create(Resource.GATEWAY, {"metadata": metadata, "status": status})
            except ConflictError:
                await east.api.merge(Resource.GATEWAY, name, MEMBER_NAMESPACE, {"status": status})

        async def wakes(times: int) -> bool:
            return len(woken) == times

        nodes = Cache(east.api, Resource.NODE, "", lambda: None)
        named = Succession(
            east.api,
            east.settings("east-0"),
            nodes,
            None,
            Mutant(),
            wake=lambda: woken.append(True),
            changed=lambda: None,
        )
        async with running(named.gateways.run()):
            await eventually(lambda: wakes(1), "it has listed them")
            await says("east-0", haStatus="active", version="1")
            await says("east-1", haStatus="passive", version="1")
            await eventually(lambda: wakes(2), "there is another one")
            await says("east-0", haStatus="active", version="2")
            await says("east-1", haStatus="passive", version="2")
            await says("east-1", haStatus="active", version="2")
            await eventually(lambda: wakes(3), "the other one leads now")

    asyncio.run(story())
