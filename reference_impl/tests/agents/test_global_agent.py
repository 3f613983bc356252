"""The agent of global addresses against a fake API and a fake kernel."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.global_agent import CLUSTER_ADDRESSES, GlobalAgent
from reference_impl.agents.settings import Settings
from reference_impl.drivers.api import APIError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.mutants import Mutant
from reference_impl.mutants.registry import MUTANTS
from reference_impl.names import CLUSTER_EGRESS, GATEWAY_LEASE, GLOBAL_LEDGER, MEMBER_NAMESPACE
from reference_impl.nft_script import render
from reference_impl.planner.ledger import QUARANTINE, read
from reference_impl.protocols.objects import Cluster
from reference_impl.state import Ruleset
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.planner.global_facts import (
    egress,
    endpoint,
    endpoint_slice,
    export,
    ingress,
    pod,
    port,
    service,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_impl.drivers.api import Object
    from reference_impl.drivers.fake_kernel import FakeKernel

POOL = ip_network("100.64.0.0/27")
ROUNDS = 5


class RefusingAPI(FakeAPI):
    """Takes nothing new in one namespace, as while it is being deleted."""

    refused = ""

    async def create(self, resource: Resource, obj: Object) -> Object:
        if self.refused and obj["metadata"].get("namespace") == self.refused:
            raise APIError("forbidden: the namespace is being terminated", 403)
        return await super().create(resource, obj)


class Member(FakeCluster):
    """A cluster with a global range and one gateway node that leads."""

    def agent(self, kernel: FakeKernel, mutant: Mutant | None = None) -> GlobalAgent:
        cluster = Cluster(
            cluster_id="east",
            pod_cidrs=self.cluster.pod_cidrs,
            service_cidrs=self.cluster.service_cidrs,
            global_cidrs=(POOL,),
        )
        settings = Settings(node="east-0", namespace=MEMBER_NAMESPACE, cluster=cluster)
        return GlobalAgent(settings, self.api, kernel, mutant or Mutant())

    async def led_by(self, node: str) -> None:
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": GATEWAY_LEASE, "namespace": MEMBER_NAMESPACE},
            "spec": {"holderIdentity": node},
        }
        await self.api.apply(Resource.LEASE, lease)

    async def add(self, *objects: Object) -> None:
        for obj in objects:
            metadata = {
                name: text for name, text in obj["metadata"].items() if name not in ("uid", "creationTimestamp")
            }
            await self.api.create(Resource.of(obj), {**obj, "metadata": metadata})

    async def held(self) -> dict[str, list[str]]:
        """Return the addresses that objects say they have."""
        found: dict[str, list[str]] = {}
        for kind in (Resource.INGRESS_IP, Resource.EGRESS_IP, Resource.CLUSTER_EGRESS_IP):
            for obj in (await self.api.list(kind))[0]:
                status = obj.get("status") or {}
                addresses = status.get("allocatedIPs") or list(filter(None, [status.get("allocatedIP")]))
                if addresses:
                    found[obj["metadata"]["name"]] = addresses
        return found

    async def have(self, *names: str) -> None:
        async def all_have() -> bool:
            return {*names} == (await self.held()).keys()

        await eventually(all_have, f"{', '.join(names)} have addresses")

    async def condition(self, kind: Resource, name: str, namespace: str = "demo") -> tuple[str, str]:
        said = ((await self.api.get(kind, name, namespace)).get("status") or {}).get("conditions") or [{}]
        return said[0].get("status", ""), said[0].get("reason", "")


@asynccontextmanager
async def member(api: FakeAPI | None = None) -> AsyncIterator[Member]:
    east = Member(1, "east", api=api or FakeAPI())
    await east.add_nodes(1)
    await east.led_by("east-0")
    yield east


async def at_rest(agent: GlobalAgent, api: FakeAPI, kernel: FakeKernel) -> bool:
    """Say whether further looks neither write nor program anything."""
    before = api._version, len(kernel.history)
    for _ in range(ROUNDS):
        agent._loop.wake()
        await asyncio.sleep(0.03)
    return (api._version, len(kernel.history)) == before


def rules(kernel: FakeKernel) -> str:
    """Return the rules that were last set."""
    found = kernel.history[-1].item if kernel.history else None
    return render(found) if isinstance(found, Ruleset) else ""


def test_what_asks_for_addresses_gets_them_and_then_nothing_is_written_any_more() -> None:
    async def story() -> None:
        async with member() as east:
            kernel = east.kernel(0)
            agent = east.agent(kernel)
            await east.add(
                pod("pod-one", "10.1.0.2"),
                ingress("one"),
                service("web", port(80)),
                export("web"),
                endpoint_slice("web", [port(8080)], endpoint("10.1.0.2", pod="pod-one")),
                egress("two", numberOfIPs=2),
            )
            async with running(agent.run()):
                await east.have("one", "web", "two", CLUSTER_EGRESS)
                held = await east.held()
                assert len(held[CLUSTER_EGRESS]) == CLUSTER_ADDRESSES
                given = [address for addresses in held.values() for address in addresses]
                assert len({*given}) == len(given) == CLUSTER_ADDRESSES + 4
                assert f"{held['one'][0]} : 10.1.0.2" in rules(kernel)
                assert f"{held['web'][0]} . 6 . 80 : goto" in rules(kernel)
                assert await east.condition(Resource.SERVICE_EXPORT, "web") == ("True", "Exported")
                await eventually(lambda: at_rest(agent, east.api, kernel), "there is nothing to write any more")

    asyncio.run(story())


def test_where_the_gateway_is_not_active_nothing_is_given_out_or_programmed() -> None:
    async def story() -> None:
        async with member() as east:
            kernel = east.kernel(0)
            agent = east.agent(kernel)
            await east.led_by("east-1")
            await east.add(ingress("one"), service("web", port(80)), export("web"))
            async with running(agent.run()):
                await asyncio.sleep(0.05)
                await eventually(lambda: at_rest(agent, east.api, kernel), "there is nothing to write any more")
                assert (await east.held(), kernel.history) == ({}, [])
                assert (await east.api.list(Resource.CONFIG_MAP))[0] == []

    asyncio.run(story())


def test_who_leads_no_more_takes_its_rules_away_and_looks_at_flows_again_when_it_leads_anew() -> None:
    async def story() -> None:
        async with member() as east:
            kernel = east.kernel(0)
            async with running(east.agent(kernel).run()):
                await east.have(CLUSTER_EGRESS)
                before = await east.held()
                await east.led_by("east-1")
                await eventually(lambda: _true(kernel.observe().state.ruleset is None), "the rules are gone")
                looked = len(kernel.bindings)
                await east.led_by("east-0")
                await eventually(lambda: _true(len(kernel.bindings) == looked + 1), "flows are looked at")
                assert kernel.observe().state.ruleset is not None
                assert await east.held() == before

    asyncio.run(story())


def test_a_restarted_agent_finds_everything_where_it_was() -> None:
    async def story() -> None:
        async with member() as east:
            kernel = east.kernel(0)
            await east.add(pod("pod-one", "10.1.0.2"), ingress("gone"), ingress("one"))
            async with running(east.agent(kernel).run()):
                await east.have("gone", "one", CLUSTER_EGRESS)
                await east.api.delete(Resource.INGRESS_IP, "gone", "demo")
                await eventually(lambda: _rests(east), "what was given back rests")
            before = await east.held()
            agent, version, steps = east.agent(kernel), east.api._version, len(kernel.history)
            async with running(agent.run()):
                await eventually(lambda: _true(bool(agent._bound)), "it has looked at everything")
                await eventually(lambda: at_rest(agent, east.api, kernel), "there is nothing to write any more")
            assert (await east.held(), east.api._version, len(kernel.history)) == (before, version, steps)

    asyncio.run(story())


def test_who_was_slower_to_write_the_ledger_reads_it_again() -> None:
    async def story() -> None:
        async with member() as east, running(east.agent(east.kernel(0)).run()):
            await east.have(CLUSTER_EGRESS)
            found = await east.api.get(Resource.CONFIG_MAP, GLOBAL_LEDGER, MEMBER_NAMESPACE)
            ledger = read(found["data"]["ledger"], POOL)
            text = found["data"]["ledger"].replace('"resting":{}', '"resting":{"10":99999999999}')
            assert text != found["data"]["ledger"]
            await east.api.replace(Resource.CONFIG_MAP, {**found, "data": {"ledger": text}})
            await east.add(ingress("one"))
            await east.have("one", CLUSTER_EGRESS)
            assert max(map(max, ledger.held.values())) == 9
            assert (await east.held())["one"] == [str(POOL[11])]

    asyncio.run(story())


def test_two_that_lead_at_once_never_give_an_address_twice() -> None:
    async def story() -> None:
        async with member() as east:
            names = [f"pod{number}" for number in range(10)]
            async with running(east.agent(east.kernel(0)).run(), east.agent(east.kernel(0)).run()):
                for name in names:
                    await east.add(ingress(name))
                await east.have(*names, CLUSTER_EGRESS)
                given = [address for addresses in (await east.held()).values() for address in addresses]
                assert len({*given}) == len(given)

    asyncio.run(story())


def test_a_lost_ledger_is_written_anew_from_what_objects_say() -> None:
    async def story() -> None:
        async with member() as east:
            kernel = east.kernel(0)
            await east.add(ingress("gone"), ingress("one"))
            async with running(east.agent(kernel).run()):
                await east.have("gone", "one", CLUSTER_EGRESS)
                await east.api.delete(Resource.INGRESS_IP, "gone", "demo")
                await east.have("one", CLUSTER_EGRESS)
                before = await east.held()
                await east.api.delete(Resource.CONFIG_MAP, GLOBAL_LEDGER, MEMBER_NAMESPACE)
                await east.add(ingress("two"))
                await east.have("one", "two", CLUSTER_EGRESS)
                assert before.items() <= (await east.held()).items()

    asyncio.run(story())


def test_who_asks_for_more_than_is_left_is_told_and_served_when_enough_has_rested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)

    async def story() -> None:
        nonlocal now
        async with member() as east:
            kernel = east.kernel(0)
            agent = east.agent(kernel)
            await east.add(egress("first", numberOfIPs=12))
            async with running(agent.run()):
                await east.have("first", CLUSTER_EGRESS)
                await east.add(egress("more", numberOfIPs=12))

                async def told() -> bool:
                    return await east.condition(Resource.EGRESS_IP, "more") == ("False", "PoolExhausted")

                await eventually(told, "exhaustion is said")
                await eventually(lambda: at_rest(agent, east.api, kernel), "there is nothing to write any more")
                await east.api.delete(Resource.EGRESS_IP, "first", "demo")
                await eventually(lambda: _rests(east), "what was given back rests")
                assert await told()
                now += QUARANTINE
                agent._loop.wake()
                await east.have("more", CLUSTER_EGRESS)
                assert await east.condition(Resource.EGRESS_IP, "more") == ("True", "Success")

    asyncio.run(story())


def test_what_the_api_refuses_for_one_object_keeps_nobody_else_waiting() -> None:
    async def story() -> None:
        api = RefusingAPI()
        async with member(api) as east:
            await east.add(service("web", port(80)), export("web"), ingress("one"))
            api.refused = "demo"
            async with running(east.agent(east.kernel(0)).run()):
                await east.have("one", CLUSTER_EGRESS)
                api.refused = ""
                await east.have("one", "web", CLUSTER_EGRESS)

    asyncio.run(story())


def test_an_api_that_cannot_be_reached_is_asked_again() -> None:
    async def story() -> None:
        async with member() as east, running(east.agent(east.kernel(0)).run()):
            await east.have(CLUSTER_EGRESS)
            await east.add(ingress("one"))
            east.api.reachable = False
            await asyncio.sleep(0.05)
            east.api.reachable = True
            await east.have("one", CLUSTER_EGRESS)

    asyncio.run(story())


def test_an_object_that_cannot_be_read_says_so_and_the_others_are_served() -> None:
    async def story() -> None:
        async with member() as east:
            await east.add(ingress("bad", {"target": "Nowhere"}), ingress("one"))
            async with running(east.agent(east.kernel(0)).run()):
                await east.have("one", CLUSTER_EGRESS)
                assert await east.condition(Resource.INGRESS_IP, "bad") == ("False", "Invalid")

    asyncio.run(story())


@pytest.mark.parametrize("name", ["address-given-twice", "addresses-compacted"])
def test_a_mutant_of_the_settlement_is_what_objects_say(name: str) -> None:
    async def story() -> None:
        async with member() as east:
            await east.add(egress("two", numberOfIPs=2), ingress("gone"), ingress("one"))
            async with running(east.agent(east.kernel(0), MUTANTS[name]).run()):
                await east.have("gone", "two", "one", CLUSTER_EGRESS)
                before = await east.held()
                await east.api.delete(Resource.INGRESS_IP, "gone", "demo")
                await east.have("two", "one", CLUSTER_EGRESS)
                if name == "address-given-twice":
                    assert {*before["two"]} <= {*before[CLUSTER_EGRESS]}
                else:
                    await eventually(lambda: _moved(east, before), "somebody has moved")

    asyncio.run(story())


async def _rests(east: Member) -> bool:
    found = await east.api.get(Resource.CONFIG_MAP, GLOBAL_LEDGER, MEMBER_NAMESPACE)
    return bool(read(found["data"]["ledger"], POOL).resting)


async def _moved(east: Member, before: dict[str, list[str]]) -> bool:
    return not (await east.held()).items() <= before.items()


async def _true(value: bool) -> bool:  # noqa: FBT001 - a condition that was just evaluated
    return value


def test_what_another_agent_says_of_an_export_stays() -> None:
    async def story() -> None:
        async with member() as east:
            await east.add(service("web", port(80)), export("web"))
            conflict = {"type": "Conflict", "status": "True", "reason": "PortConflict", "message": "an older one"}
            patch = {"status": {"conditions": [conflict]}}
            await east.api.merge_status(Resource.SERVICE_EXPORT, "web", "demo", patch)
            async with running(east.agent(east.kernel(0)).run()):
                await east.have("web", CLUSTER_EGRESS)

                async def says_all() -> bool:
                    said = (await east.api.get(Resource.SERVICE_EXPORT, "web", "demo"))["status"]["conditions"]
                    return [each["type"] for each in said] == ["Conflict", "Ready", "Valid"]

                await eventually(says_all, "both agents' words are there")

    asyncio.run(story())
