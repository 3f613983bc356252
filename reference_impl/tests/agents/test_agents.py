"""Agents against fakes of everything around them."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing
from ipaddress import ip_address

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import BROKER_NAMESPACE, CABLE_DEVICE, CLUSTER_ID_LABEL, MEMBER_NAMESPACE, NODE_DEVICE
from reference_impl.state import RouteKind
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running


def test_two_gateways_find_each_other_and_report_a_confirmed_connection() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        kernels = east.kernel(0), west.kernel(0)
        with ExitStack() as stack:
            echoes = [stack.enter_context(closing(FakeEcho())) for _ in range(2)]
            for cluster in (east, west):
                await cluster.add_nodes(2)
            async with running(
                east.gateway(0, broker, kernels[0], echoes[0]).run(),
                west.gateway(0, broker, kernels[1], echoes[1]).run(),
            ):

                async def states() -> list[str]:
                    try:
                        return [entry["status"] for entry in (await east.gateway_status())["connections"]]
                    except NotFoundError:
                        return []

                await eventually(lambda: _is(states, ["connecting"]), "east knows west")
                assert {route.device for route in kernels[0].observe().state.routes} == {CABLE_DEVICE}
                echoes[0].alive.add(ip_address("10.2.0.1"))
                await eventually(lambda: _is(states, ["connected"]), "a round trip is reported")
                echoes[0].alive.clear()
                await eventually(lambda: _is(states, ["error"]), "silence is reported")
                events, _ = await east.api.list(Resource.EVENT, MEMBER_NAMESPACE)
                assert [event["reason"] for event in events if event["reason"] == "Connected"] == ["Connected"]

    asyncio.run(story())


def test_a_second_gateway_stands_by_and_programs_nothing() -> None:
    async def story() -> None:
        east, broker = FakeCluster(1, "east"), FakeAPI()
        await east.add_nodes(2, gateways=2)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            async with running(east.gateway(0, broker, east.kernel(0), one).run()):
                await eventually(lambda: _ha(east, 0, "active"), "the first leads")
                async with running(east.gateway(1, broker, east.kernel(1), two).run()):
                    await eventually(lambda: _ha(east, 1, "passive"), "the second stands by")
        endpoints, _ = await east.api.list(Resource.ENDPOINT, MEMBER_NAMESPACE)
        assert [endpoint["spec"]["hostname"] for endpoint in endpoints] == ["east-0"]

    asyncio.run(story())


def test_a_restarted_gateway_leads_at_once_and_touches_nothing() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        kernel = east.kernel(0)
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            async with running(
                east.gateway(0, broker, kernel, one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):
                await eventually(lambda: _true(bool(kernel.observe().state.routes)), "east routes to west")
            steps = len(kernel.history)
            await east.api.delete(Resource.GATEWAY, "east-0", MEMBER_NAMESPACE)
            async with running(east.gateway(0, broker, kernel, one).run()):
                await eventually(lambda: _ha(east, 0, "active"), "it leads again")
            assert len(kernel.history) == steps

    asyncio.run(story())


def test_an_unreachable_broker_changes_nothing_and_is_caught_up_with_later() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        kernel = east.kernel(0)
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            async with running(west.gateway(0, broker, west.kernel(0), two).run()):
                await eventually(lambda: _count(broker, Resource.ENDPOINT, 1), "west is at the broker")
            broker.reachable = False
            async with running(east.gateway(0, broker, kernel, one).run()):
                await eventually(lambda: _ha(east, 0, "active"), "east leads without a broker")
                assert not kernel.observe().state.routes
                await eventually(lambda: _fails(east, "broker: "), "the broker is said to be away")
                broker.reachable = True
                await eventually(lambda: _true(bool(kernel.observe().state.routes)), "east caught up")
                await eventually(lambda: _fails(east, ""), "the broker is said to be back")

    asyncio.run(story())


def test_a_member_that_left_is_forgotten_everywhere() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        gateway, worker = east.kernel(0), east.kernel(1)
        await east.add_nodes(2)
        await west.add_nodes(1)
        with ExitStack() as stack:
            echoes = [stack.enter_context(closing(FakeEcho())) for _ in range(3)]
            async with running(
                east.gateway(0, broker, gateway, echoes[0]).run(), east.route_agent(1, worker, echoes[1]).run()
            ):
                async with running(west.gateway(0, broker, west.kernel(0), echoes[2]).run()):
                    await eventually(
                        lambda: _true(any(r.device == NODE_DEVICE for r in worker.observe().state.routes)),
                        "the worker routes to the gateway",
                    )
                for resource in (Resource.ENDPOINT, Resource.CLUSTER):
                    for obj in (await broker.list(resource, BROKER_NAMESPACE, labels=f"{CLUSTER_ID_LABEL}=west"))[0]:
                        await broker.delete(resource, obj["metadata"]["name"], BROKER_NAMESPACE)
                await eventually(
                    lambda: _true(
                        (left := worker.observe().state).routes == frozenset()
                        and {rule.prefix for rule in left.rules if rule.rejects} == {rule.prefix for rule in left.rules}
                    ),
                    "the worker forgot, and rejects what is still sent there",
                )
                await eventually(lambda: _true(not gateway.observe().state.links), "the gateway forgot")

    asyncio.run(story())


def test_a_malformed_peer_is_shown_with_its_reason_and_harms_nobody_else() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        kernel = east.kernel(0)
        await east.add_nodes(1)
        await west.add_nodes(1)
        bad = {
            "apiVersion": "submariner.io/v1",
            "kind": "Endpoint",
            "metadata": {"name": "bad", "namespace": BROKER_NAMESPACE, "labels": {CLUSTER_ID_LABEL: "bad"}},
            "spec": {"cluster_id": "bad", "subnets": ["10.300.0.0/16"]},
        }
        await broker.create(Resource.ENDPOINT, bad)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            async with running(
                east.gateway(0, broker, kernel, one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):
                await eventually(lambda: _true(bool(kernel.observe().state.routes)), "west is connected all the same")

                async def shown() -> bool:
                    connections = (await east.gateway_status())["connections"]
                    return any("10.300.0.0/16" in entry["statusMessage"] for entry in connections)

                await eventually(shown, "the reason is shown")

    asyncio.run(story())


def test_a_foreign_hand_in_our_kernel_state_is_set_right() -> None:
    async def story() -> None:
        east, broker = FakeCluster(1, "east"), FakeAPI()
        await east.add_nodes(2)
        await east.api.create(Resource.CLUSTER, _cluster_object(FakeCluster(2, "west")))
        kernel = east.kernel(1)
        with closing(FakeEcho()) as echo:
            async with running(east.route_agent(1, kernel, echo).run()):
                await eventually(lambda: _true(len(kernel.observe().state.rules) == 4), "rules are there")
                floors = kernel.observe().state.routes
                assert {route.kind for route in floors} == {RouteKind.UNREACHABLE}
                kernel.forget_everything()
                await eventually(lambda: _true(kernel.observe().state.routes == floors), "they are there again")
        assert broker.reachable

    asyncio.run(story())


def test_caches_recover_from_a_version_that_is_too_old() -> None:
    async def story() -> None:
        east = FakeCluster(1, "east")
        await east.add_nodes(1)
        kernel = east.kernel(0)
        with closing(FakeEcho()) as echo:
            async with running(east.route_agent(0, kernel, echo).run()):
                await eventually(lambda: _count(east.api, Resource.ROUTE_AGENT, 1), "the agent reports")
                east.api.reachable = False
                east.api.reachable = True
                await east.api.create(Resource.CLUSTER, _cluster_object(FakeCluster(2, "west")))
                east.api.forget_history()
                await eventually(lambda: _true(bool(kernel.observe().state.rules)), "west is known")

    asyncio.run(story())


def _cluster_object(cluster: FakeCluster) -> dict[str, object]:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "Cluster",
        "metadata": {
            "name": cluster.name,
            "namespace": MEMBER_NAMESPACE,
            "labels": {CLUSTER_ID_LABEL: cluster.name},
        },
        "spec": {
            "cluster_id": cluster.name,
            "cluster_cidr": [str(cidr) for cidr in cluster.cluster.pod_cidrs],
            "service_cidr": [str(cidr) for cidr in cluster.cluster.service_cidrs],
        },
    }


async def _is(actual, expected) -> bool:  # type: ignore[no-untyped-def] # noqa: ANN001
    return bool(await actual() == expected)


async def _fails(cluster: FakeCluster, words: str) -> bool:
    failure = str((await cluster.gateway_status())["statusFailure"])
    return words in failure if words else not failure


async def _true(value: bool) -> bool:  # noqa: FBT001 - a condition that was just evaluated
    return value


async def _ha(cluster: FakeCluster, index: int, expected: str) -> bool:
    try:
        return bool((await cluster.gateway_status(index))["haStatus"] == expected)
    except NotFoundError:
        return False


async def _count(api: FakeAPI, resource: Resource, count: int) -> bool:
    return len((await api.list(resource))[0]) == count
