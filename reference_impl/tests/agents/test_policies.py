"""Connection policies at the broker, and what gateways make of them."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers.api import APIError, Object, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from reference_impl.drivers.fake_kernel import FakeKernel

APART: Object = {
    "apiVersion": "l3conf.io/v1alpha1",
    "kind": "ClusterConnectionPolicy",
    "metadata": {"name": "apart", "namespace": BROKER_NAMESPACE},
    "spec": {"left": {"matchLabels": {CLUSTER_ID_LABEL: "east"}}, "right": {}, "action": "Isolate"},
}


class WithoutPolicies(FakeAPI):
    """A broker that does not know the kind, or lets nobody read it."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        if resource is Resource.CONNECTION_POLICY:
            raise APIError("no policies here", self._code)
        return await super().list(resource, namespace, labels=labels, name=name)


class Pair:
    """Two members with a gateway each."""

    def __init__(self, broker: FakeAPI, stack: ExitStack) -> None:
        self.east, self.west = FakeCluster(1, "east"), FakeCluster(2, "west")
        self.kernels = self.east.kernel(0), self.west.kernel(0)
        self._broker = broker
        self._echoes = [stack.enter_context(closing(FakeEcho())) for _ in range(2)]

    async def running(self) -> AbstractAsyncContextManager[object]:
        """Return a context in which both agents run."""
        for cluster in (self.east, self.west):
            await cluster.add_nodes(1)
        return running(
            self.east.gateway(0, self._broker, self.kernels[0], self._echoes[0]).run(),
            self.west.gateway(0, self._broker, self.kernels[1], self._echoes[1]).run(),
        )

    async def known(self) -> list[list[str]]:
        """Return whose Endpoints either member holds."""
        held = [await each.api.list(Resource.ENDPOINT, MEMBER_NAMESPACE) for each in (self.east, self.west)]
        return [sorted(obj["spec"]["cluster_id"] for obj in objects) for objects, _ in held]

    async def reasons(self) -> list[str]:
        """Return why either does not accept the other."""
        found = []
        for cluster, other in ((self.east, "west"), (self.west, "east")):
            obj = await cluster.api.get(Resource.CLUSTER, other, MEMBER_NAMESPACE)
            conditions = (obj.get("status") or {}).get("conditions") or []
            found += [one["reason"] for one in conditions if one["type"] == "Accepted"]
        return found


def carries(kernel: FakeKernel) -> bool:
    return bool(kernel.observe().state.links)


BOTH, OWN = [["east", "west"], ["east", "west"]], [["east"], ["west"]]


async def _is(pair: Pair, wanted: list[list[str]]) -> bool:
    return await pair.known() == wanted


def test_a_policy_takes_the_cable_away_at_both_ends_and_its_end_lays_it_again() -> None:
    async def story() -> None:
        broker = FakeAPI()
        with ExitStack() as stack:
            pair = Pair(broker, stack)
            async with await pair.running():
                await eventually(lambda: _is(pair, BOTH), "both know each other")
                await broker.create(Resource.CONNECTION_POLICY, APART)
                await eventually(lambda: _is(pair, OWN), "neither knows the other's gateway")

                async def said() -> bool:
                    return await pair.reasons() == ["Isolated", "Isolated"] and not any(map(carries, pair.kernels))

                await eventually(said, "both say why, and have no cable")
                assert (await pair.east.gateway_status())["connections"] == [], "what is meant so is no error"
                await broker.delete(Resource.CONNECTION_POLICY, "apart", BROKER_NAMESPACE)
                await eventually(lambda: _is(pair, BOTH), "both know each other again")

    asyncio.run(story())


def test_what_was_decided_holds_while_the_broker_is_away() -> None:
    async def story() -> None:
        broker = FakeAPI()
        await broker.create(Resource.CONNECTION_POLICY, APART)
        with ExitStack() as stack:
            pair = Pair(broker, stack)

            async def said() -> bool:
                try:
                    return await pair.reasons() == ["Isolated", "Isolated"]
                except APIError:
                    return False

            async with await pair.running():
                await eventually(said, "both say why")
            broker.reachable = False
            before = await pair.known()
            async with running(
                pair.east.gateway(0, broker, pair.kernels[0], stack.enter_context(closing(FakeEcho()))).run()
            ):
                await asyncio.sleep(0.5)
                assert (await pair.known(), carries(pair.kernels[0])) == (before, False)

    asyncio.run(story())


@pytest.mark.parametrize("code", [403, 404])
def test_a_broker_without_policies_has_none(code: int) -> None:
    async def story() -> None:
        with ExitStack() as stack:
            pair = Pair(WithoutPolicies(code), stack)
            async with await pair.running():
                await eventually(lambda: _is(pair, BOTH), "both know each other")

    asyncio.run(story())


def test_nothing_is_delivered_before_policies_are_known() -> None:
    async def story() -> None:
        with ExitStack() as stack:
            pair = Pair(WithoutPolicies(500), stack)
            async with await pair.running():
                await asyncio.sleep(0.5)
                assert not {"west"} & set((await pair.known())[0])

    asyncio.run(story())
