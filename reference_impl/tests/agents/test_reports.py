"""What is reported of a node belongs to that node, and goes with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.agents.reports import Reporter
from reference_impl.agents.writing import merge_patch
from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI, merged
from reference_impl.mutants import Mutant

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object

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


def test_what_is_not_said_any_more_does_not_stay_whoever_said_it() -> None:
    async def story() -> None:
        api = FakeAPI()
        await api.create(Resource.NODE, NODE)

        async def said() -> object:
            return (await api.get(Resource.GATEWAY, "n1", "ns"))["status"]

        reporter = Reporter(api, Resource.GATEWAY, "n1", "ns", Mutant())
        for config in ({"standby-gateways": "n2", "udp-port": "4500"}, {"udp-port": "4500"}):
            await reporter.report({"localEndpoint": {"backend_config": config}, "statusFailure": "x"})
            assert await said() == {"localEndpoint": {"backend_config": config}, "statusFailure": "x"}
        restarted = Reporter(api, Resource.GATEWAY, "n1", "ns", Mutant())
        await restarted.report({"localEndpoint": {"backend_config": {}}})
        assert await said() == {"localEndpoint": {"backend_config": {}}}

    asyncio.run(story())


documents = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
    max_leaves=8,
)


@given(documents, documents)
def test_a_merge_patch_makes_the_one_of_the_other(before: Object, after: Object) -> None:
    assert merged(before, merge_patch(before, after)) == after
