"""A gateway that relieves another one waits until its cables are up: make before break."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, closing
from itertools import product
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import gateway
from reference_impl.agents.candidate import Candidate
from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import (
    BROKER_NAMESPACE,
    CABLE_METRIC,
    GATEWAY_LABEL,
    GATEWAY_LEASE,
    MEMBER_NAMESPACE,
    STANDBY_METRIC,
)
from reference_impl.protocols.election import Ground
from reference_impl.state import SubTunnel
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.agents.test_sub_tunnels import ipsec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_impl.drivers.fake_kernel import FakeKernel

LATE = 60.0


@asynccontextmanager
async def relieved() -> AsyncIterator[tuple[FakeCluster, FakeAPI, FakeKernel]]:
    """Yield east, the broker and the second gateway: its kernel. Its tunnels stay down while it relieves the first."""
    east, west, broker = FakeCluster(1, "east", driver=ipsec(1)), FakeCluster(2, "west", driver=ipsec(2)), FakeAPI()
    other = FakeCluster(1, "east", api=east.api, driver=ipsec(3))
    kernel = other.kernel(1)
    kernel.sub_tunnels_down |= {
        SubTunnel(peer="west", pair=pair) for pair in product(east.cluster.prefixes, west.cluster.prefixes)
    }
    await east.add_nodes(2, gateways=2)
    await west.add_nodes(1)
    with ExitStack() as stack:
        echoes = [stack.enter_context(closing(FakeEcho())) for _ in range(3)]
        first = east.gateway(0, broker, east.kernel(0), echoes[0]).run()
        async with running(first, west.gateway(0, broker, west.kernel(0), echoes[1]).run()):
            await eventually(lambda: _published(broker, "east-0"), "the first one leads")
            async with running(other.gateway(1, broker, kernel, echoes[2]).run()):
                await eventually(lambda: _prefers(kernel, STANDBY_METRIC), "the second one is ready")
                await east.api.merge(Resource.NODE, "east-0", "", {"metadata": {"labels": {GATEWAY_LABEL: None}}})
                await eventually(lambda: _holds(east.api, "east-1"), "the second one has the Lease")
                yield east, broker, kernel


async def _published(broker: FakeAPI, hostname: str) -> bool:
    found, _ = await broker.list(Resource.ENDPOINT, BROKER_NAMESPACE)
    return [each["spec"]["hostname"] for each in found if each["spec"]["cluster_id"] == "east"] == [hostname]


async def _prefers(kernel: FakeKernel, metric: int) -> bool:
    return {route.metric for route in kernel.observe().state.routes} == {metric}


async def _calls(kernel: FakeKernel) -> bool:
    return {each.stands_by for each in kernel.observe().state.ike_peers} == {False}


async def _holds(api: FakeAPI, name: str) -> bool:
    try:
        lease = await api.get(Resource.LEASE, GATEWAY_LEASE, MEMBER_NAMESPACE)
    except NotFoundError:
        return False
    return bool(lease["spec"]["holderIdentity"] == name)


def test_nobody_sends_to_a_new_gateway_before_its_tunnels_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PATIENCE", LATE)

    async def story() -> None:
        async with relieved() as (_, broker, kernel):
            await eventually(lambda: _calls(kernel), "it calls")
            await asyncio.sleep(10 * gateway.AT_ONCE)
            assert await _published(broker, "east-0")
            assert await _prefers(kernel, STANDBY_METRIC)
            kernel.sub_tunnels_down.clear()
            await eventually(lambda: _published(broker, "east-1"), "it says that it leads")
            assert await _prefers(kernel, CABLE_METRIC)

    asyncio.run(story())


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PATIENCE", 10 * gateway.AT_ONCE)

    async def story() -> None:
        async with relieved() as (_, broker, kernel):
            await eventually(lambda: _published(broker, "east-1"), "it says that it leads")
            assert await _prefers(kernel, CABLE_METRIC)

    asyncio.run(story())


@pytest.mark.parametrize(("ground", "waits"), [(Ground.LEFT, True), (Ground.SILENT, False)])
def test_only_a_gateway_that_goes_on_forwarding_is_waited_for(ground: Ground, *, waits: bool) -> None:
    async def story() -> None:
        api = FakeAPI()
        await Candidate(api, "east-0", MEMBER_NAMESPACE, lambda: None)._try()
        second = Candidate(api, "east-1", MEMBER_NAMESPACE, lambda: None, lambda _holder: ground)
        await second._try()
        assert second.holder == "east-1"
        assert (second.relieving_for is not None) is waits

    asyncio.run(story())
