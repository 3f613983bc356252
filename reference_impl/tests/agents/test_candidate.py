"""The Lease over its API: read when somebody else may have written it, and only then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.agents.candidate import Candidate
from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.names import GATEWAY_LEASE
from reference_impl.protocols.election import ElectionTimings, Role

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object

NAMESPACE = "submariner-operator"


class CountingAPI(FakeAPI):
    """Counts what is read."""

    read = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        self.read += 1
        return await super().get(resource, name, namespace)


async def _holder(api: FakeAPI) -> str:
    lease = await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
    return str(lease["spec"]["holderIdentity"])


def _candidate(api: FakeAPI, name: str = "east-1") -> Candidate:
    return Candidate(api, name, NAMESPACE, lambda: None)


def test_a_holder_renews_without_reading() -> None:
    async def scenario() -> None:
        api = CountingAPI()
        candidate = _candidate(api)
        await candidate._try()
        assert candidate.role is Role.ACTIVE
        read = api.read
        before = await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
        for _ in range(3):
            await candidate._try()
        after = await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
        assert api.read == read
        assert after["spec"]["renewTime"] > before["spec"]["renewTime"]
        assert after["spec"]["acquireTime"] == before["spec"]["acquireTime"]

    asyncio.run(scenario())


def test_a_lease_that_somebody_took_is_not_taken_back() -> None:
    async def scenario() -> None:
        api = FakeAPI()
        candidate = _candidate(api)
        await candidate._try()
        lease = await api.get(Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
        await api.replace(Resource.LEASE, {**lease, "spec": {**lease["spec"], "holderIdentity": "east-2"}})
        running = asyncio.create_task(candidate.run())
        await asyncio.sleep(0.05)
        assert await _holder(api) == "east-2"
        running.cancel()
        await candidate._try()
        assert candidate.role is Role.PASSIVE
        assert await _holder(api) == "east-2"

    asyncio.run(scenario())


def test_a_lease_that_was_deleted_is_made_again() -> None:
    async def scenario() -> None:
        api = FakeAPI()
        candidate = _candidate(api)
        await candidate._try()
        await api.delete(Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
        running = asyncio.create_task(candidate.run())
        await asyncio.sleep(0.05)
        running.cancel()
        await candidate._try()
        assert await _holder(api) == "east-1"

    asyncio.run(scenario())


def test_a_holder_renews_seldom_and_tries_again_soon_where_it_could_not() -> None:
    async def scenario() -> None:
        api = CountingAPI()
        candidate = Candidate(api, "east-1", NAMESPACE, lambda: None, timings=ElectionTimings(renew=0.5, retry=0.01))
        running = asyncio.create_task(candidate.run())
        await asyncio.sleep(0.25)
        first = await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE)
        await asyncio.sleep(0.1)
        assert await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE) == first
        api.reachable, read = False, api.read
        async with asyncio.timeout(30):
            while api.read < read + 3:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)
        api.reachable = True
        async with asyncio.timeout(30):
            while await FakeAPI.get(api, Resource.LEASE, GATEWAY_LEASE, NAMESPACE) == first:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.005)
        assert candidate.role is Role.ACTIVE
        running.cancel()

    asyncio.run(scenario())
