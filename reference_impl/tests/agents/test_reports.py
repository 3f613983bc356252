"""What is reported of a node belongs to that node, and goes with it."""

from __future__ import annotations

import asyncio

from reference_impl.agents.reports import Reporter
from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.mutants import Mutant

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}


def test_a_report_is_owned_by_its_node_and_by_the_next_one_of_that_name() -> None:
    async def story() -> None:
        api = FakeAPI()
        await api.create(Resource.NODE, NODE)
        reporter = Reporter(api, Resource.ROUTE_AGENT, "n1", "ns", Mutant())
        await reporter.report({"statusFailure": "1"})
        first = await _owner(api)
        assert first == (await api.get(Resource.NODE, "n1"))["metadata"]["uid"]
        await reporter.report({"statusFailure": "2"})
        assert await _owner(api) == first
        await api.delete(Resource.NODE, "n1")
        await api.delete(Resource.ROUTE_AGENT, "n1", "ns")  # as the garbage collector does
        await api.create(Resource.NODE, NODE)
        await reporter.report({"statusFailure": "3"})
        assert await _owner(api) == (await api.get(Resource.NODE, "n1"))["metadata"]["uid"] != first

    asyncio.run(story())


async def _owner(api: FakeAPI) -> str:
    (owner,) = (await api.get(Resource.ROUTE_AGENT, "n1", "ns"))["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["name"]) == ("v1", "Node", "n1")
    return str(owner["uid"])
