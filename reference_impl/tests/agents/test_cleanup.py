from __future__ import annotations

import asyncio

from reference_impl.agents import cleanup
from reference_impl.agents.settings import Place
from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.mutants import Mutant
from reference_impl.names import CLEANUP_RECORD, MEMBER_NAMESPACE
from reference_impl.planner.diff import diff
from reference_impl.planner.node import plan_node
from reference_impl.state import KernelState
from reference_impl.tests.agents.cluster_set import eventually, running
from reference_impl.tests.planner.facts import node_facts


def test_a_node_is_clean_before_it_says_so() -> None:
    async def story() -> None:
        api, kernel = FakeAPI(), FakeKernel()
        kernel.apply(diff(plan_node(node_facts()), kernel.observe()))
        metadata = {"name": CLEANUP_RECORD, "namespace": MEMBER_NAMESPACE}
        await api.create(Resource.CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        place = Place(node="east-1", namespace=MEMBER_NAMESPACE)

        async def said() -> bool:
            record = await api.get(Resource.CONFIG_MAP, CLEANUP_RECORD, MEMBER_NAMESPACE)
            return "east-1" in (record.get("data") or {})

        async with running(cleanup.run(place, api, [kernel], Mutant())):
            await eventually(said, "the node reports")
        assert kernel.observe().state == KernelState()

    asyncio.run(story())
