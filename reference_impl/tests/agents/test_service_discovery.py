"""The agent of service discovery, between two APIs in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.service_discovery import ServiceDiscovery
from reference_impl.agents.settings import BrokerAccess
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.names import BROKER_NAMESPACE, CONTESTED, GATEWAY_LEASE, MEMBER_NAMESPACE
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.planner.services import NEW, OLD, export, gateway, member, namespace, offered, service

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from reference_impl.drivers.api import Object

ACCESS = BrokerAccess(server="", namespace=BROKER_NAMESPACE, certificate_authority=Path("ca"), token=Path("token"))
REST = 0.2
"""Seconds in which an agent that had anything to do would have done it."""


class Unwilling(FakeAPI):
    """A broker that does not take some names."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self._refused = refused
        self.tries = 0

    async def create(self, resource: Resource, obj: Object) -> Object:
        if obj["metadata"]["name"] in self._refused:
            self.tries += 1
            raise APIError("no", 422)
        return await super().create(resource, obj)


@dataclass
class Ground:
    """One member, east, and the broker."""

    broker: FakeAPI = field(default_factory=FakeAPI)
    east: FakeCluster = field(default_factory=lambda: FakeCluster(1, "east"))

    async def furnish(self, holder: str = "east-0") -> None:
        await self.put(namespace())
        await self.put(export(created=NEW))
        await self.put(service())
        await self.put(_in(MEMBER_NAMESPACE, member("west")))
        await self.put(_in(MEMBER_NAMESPACE, gateway("west", "10.102.0.0/16")))
        lease = {"name": GATEWAY_LEASE, "namespace": MEMBER_NAMESPACE, "uid": "us"}
        await self.east.api.create(Resource.LEASE, {"metadata": lease, "spec": {"holderIdentity": holder}})

    async def put(self, obj: Object) -> None:
        await self.east.api.create(Resource.of(obj), obj)

    async def beat(self, holder: str, **annotations: str) -> None:
        metadata = {"name": "east", "namespace": BROKER_NAMESPACE, "annotations": annotations}
        await self.broker.create(Resource.LEASE, {"metadata": metadata, "spec": {"holderIdentity": holder}})

    def agent(self) -> ServiceDiscovery:
        return ServiceDiscovery(self.east.settings("east-0"), ACCESS, member=self.east.api, broker=self.broker)

    async def imported(self, name: str = "web") -> Object | None:
        try:
            return await self.east.api.get(Resource.SERVICE_IMPORT, name, "shop")
        except NotFoundError:
            return None

    async def offers(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in (await self.broker.list(Resource.SERVICE_IMPORT))[0]]

    async def rests(self) -> bool:
        """Say whether nobody writes anything for a while."""
        before = await self.version()
        await asyncio.sleep(REST)
        return await self.version() == before

    async def version(self) -> tuple[str, str]:
        return (await self.east.api.list(Resource.POD))[1], (await self.broker.list(Resource.POD))[1]


def _in(namespace: str, obj: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def play(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def test_services_go_up_and_come_down_and_then_there_is_nothing_to_write() -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish()
        await ground.broker.create(Resource.SERVICE_IMPORT, offered(since=OLD))

        async def done() -> bool:
            found = await ground.imported()
            return found is not None and found.get("status") == {"clusters": [{"cluster": "east"}, {"cluster": "west"}]}

        async def ready() -> bool:
            said = (await ground.east.api.get(Resource.SERVICE_EXPORT, "web", "shop")).get("status") or {}
            return {"Conflict", "Ready", "Valid"} == {each["type"] for each in said.get("conditions") or []}

        async with running(ground.agent().run()):
            await eventually(done, "the import names both exporters")
            await eventually(ready, "the export has its conditions")
            found = await ground.imported()
            assert found is not None
            assert found["spec"]["ips"] == ["10.102.0.20"]
            assert await ground.offers() == ["web.shop.east", "web.shop.west"]
            await eventually(ground.rests, "nothing is written any more")
            await ground.east.api.delete(Resource.SERVICE_EXPORT, "web", "shop")
            await ground.broker.delete(Resource.SERVICE_IMPORT, "web.shop.west", BROKER_NAMESPACE)

            async def gone() -> bool:
                slices = (await ground.east.api.list(Resource.ENDPOINT_SLICE))[0]
                return await ground.imported() is None and await ground.offers() == [] and slices == []

            await eventually(gone, "nothing of it is left")

    play(scenario())


def test_a_gateway_that_is_not_active_writes_nothing() -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish(holder="east-1")
        before = await ground.version()
        async with running(ground.agent().run()):
            await asyncio.sleep(REST)
        assert await ground.version() == before

    play(scenario())


def test_nothing_that_was_imported_goes_while_the_broker_cannot_be_read() -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish()
        await ground.broker.create(Resource.SERVICE_IMPORT, offered())

        async def there() -> bool:
            return await ground.imported() is not None

        async with running(ground.agent().run()):
            await eventually(there, "it is imported")
        ground.broker.reachable = False
        async with running(ground.agent().run()):
            await asyncio.sleep(REST)
            assert await there()

    play(scenario())


@pytest.mark.parametrize("contested", [{}, {CONTESTED: "somebody"}])
def test_who_does_not_hold_its_identity_offers_nothing_but_imports(contested: dict[str, str]) -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish()
        await ground.beat("us/east-0/1" if contested else "another/east-0/1", **contested)
        await ground.broker.create(Resource.SERVICE_IMPORT, offered())

        async def there() -> bool:
            return await ground.imported() is not None

        async with running(ground.agent().run()):
            await eventually(there, "it is imported")
            await asyncio.sleep(REST)
            assert await ground.offers() == ["web.shop.west"]

    play(scenario())


def test_who_holds_its_identity_offers() -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish()
        await ground.beat("us/east-0/1")

        async def there() -> bool:
            return await ground.offers() == ["web.shop.east"]

        async with running(ground.agent().run()):
            await eventually(there, "it is offered")

    play(scenario())


def test_one_service_that_is_not_taken_does_not_keep_others_back() -> None:
    async def scenario() -> None:
        broker = Unwilling("web.shop.east")
        ground = Ground(broker=broker)
        await ground.furnish()
        await ground.put(export("zoo"))
        await ground.put(service("zoo", "10.101.0.30"))

        async def there() -> bool:
            return await ground.offers() == ["zoo.shop.east"]

        async with running(ground.agent().run()):
            await eventually(there, "the other one is offered")
            await eventually(ground.rests, "nothing is written any more")
            before, lease = broker.tries, await ground.east.api.get(Resource.LEASE, GATEWAY_LEASE, MEMBER_NAMESPACE)
            await ground.east.api.replace(Resource.LEASE, {**lease, "spec": {**lease["spec"], "renewTime": "later"}})
            await asyncio.sleep(REST)
            assert broker.tries == before

    play(scenario())


def test_an_import_waits_for_its_namespace() -> None:
    async def scenario() -> None:
        ground = Ground()
        await ground.furnish()
        await ground.east.api.delete(Resource.NAMESPACE, "shop")
        await ground.broker.create(Resource.SERVICE_IMPORT, offered())

        async def there() -> bool:
            return await ground.imported() is not None

        async with running(ground.agent().run()):
            await asyncio.sleep(REST)
            assert not await there()
            await ground.put(namespace())
            await eventually(there, "it is imported")

    play(scenario())


def test_only_members_with_global_ranges_ask_for_global_addresses() -> None:
    async def scenario() -> None:
        ground = Ground()
        settings = ground.east.settings("east-0")
        ranges = (ip_network("100.64.0.0/24"),)
        translated = replace(settings, cluster=replace(settings.cluster, global_cidrs=ranges))
        for chosen, asked in ((settings, False), (translated, True)):
            agent = ServiceDiscovery(chosen, ACCESS, member=ground.east.api, broker=ground.broker)
            assert (Resource.INGRESS_IP in agent._here) is asked

    play(scenario())
