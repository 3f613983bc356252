"""The agent at the broker, between members that have mailboxes there."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, closing
from typing import TYPE_CHECKING
from unittest.mock import patch

from reference_impl.agents.broker import PERIOD, BrokerAgent
from reference_impl.drivers.api import APIError, Object, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.hooks.manifests import load, mailbox_name, member_access
from reference_impl.mutants import Mutant
from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, HEARTBEATS, MEMBER_NAMESPACE
from reference_impl.planner.pacing import BURST, EVERY
from reference_impl.tests.agents.cluster_set import PATIENCE, FakeCluster, eventually, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

APART: Object = {
    "apiVersion": "l3conf.io/v1alpha1",
    "kind": "ClusterConnectionPolicy",
    "metadata": {"name": "apart", "namespace": BROKER_NAMESPACE},
    "spec": {"left": {"matchLabels": {CLUSTER_ID_LABEL: "east"}}, "right": {}, "action": "Isolate"},
}
AGAINST: Object = {
    **APART,
    "metadata": {"name": "against", "namespace": BROKER_NAMESPACE},
    "spec": {**APART["spec"], "action": "Connect"},
}
KINDS = (Resource.CLUSTER, Resource.ENDPOINT)


class Guarded(FakeAPI):
    """A broker whose agent may not write into one mailbox yet."""

    closed = mailbox_name("west")
    replaced = 0

    async def replace(self, resource: Resource, obj: Object) -> Object:
        self.replaced += 1
        return await super().replace(resource, obj)

    async def create(self, resource: Resource, obj: Object) -> Object:
        if obj["metadata"].get("namespace") == self.closed:
            raise APIError("forbidden", 403)
        return await super().create(resource, obj)


class Set:
    """A broker and two members with mailboxes."""

    def __init__(self) -> None:
        self.broker = FakeAPI()
        self.members = {
            name: FakeCluster(number, name, mailbox=mailbox_name(name)) for number, name in ((1, "east"), (2, "west"))
        }
        self.kernels = {name: member.kernel(0) for name, member in self.members.items()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        with ExitStack() as stack:
            for name, member in self.members.items():
                await member.add_nodes(1)
                for obj in member_access(name, mailbox=True):
                    await self.broker.apply(Resource.of(obj), obj)
            for obj in load("broker/namespace.yaml"):
                await self.broker.apply(Resource.of(obj), obj)
            programs = [
                member.gateway(0, self.broker, self.kernels[name], stack.enter_context(closing(FakeEcho()))).run()
                for name, member in self.members.items()
            ]
            at_broker = BrokerAgent(BROKER_NAMESPACE, self.broker, Mutant()).run()
            async with running(at_broker, *programs) as tasks:
                yield tasks

    async def shown(self, member: str) -> set[tuple[str, str]]:
        """Return kind and owner of what stands in a member's mailbox."""
        return {
            (kind.kind, obj["spec"]["cluster_id"])
            for kind in KINDS
            for obj in (await self.broker.list(kind, mailbox_name(member)))[0]
        }

    async def known(self, member: str) -> set[str]:
        """Return whose Endpoints a member holds."""
        held, _ = await self.members[member].api.list(Resource.ENDPOINT, MEMBER_NAMESPACE)
        return {obj["spec"]["cluster_id"] for obj in held}

    async def sees(self, member: str, wanted: Collection[str]) -> bool:
        shown = {(kind.kind, owner) for kind in KINDS for owner in wanted}
        return await self.shown(member) == shown and await self.known(member) == set(wanted)

    async def watch(self, member: str, events: list[tuple[str, Object]]) -> None:
        """Take down what a watch over the Endpoints of a member's mailbox shows from now on."""
        _, version = await self.broker.list(Resource.ENDPOINT, mailbox_name(member))
        async for event in self.broker.watch(Resource.ENDPOINT, mailbox_name(member), version):
            events.append(event)  # noqa: PERF401 - each as it comes

    async def told(self, member: str) -> set[str]:
        """Return whose heartbeats a mailbox tells."""
        obj = await self.broker.get(Resource.CONFIG_MAP, HEARTBEATS, mailbox_name(member))
        return set(obj.get("data") or {})


def test_a_member_is_shown_and_told_nothing_of_one_that_a_policy_parts_it_from_until_that_ends() -> None:
    async def story() -> None:
        here = Set()
        async with here.running():
            await eventually(lambda: here.sees("east", {"east", "west"}), "east sees west")
            await eventually(lambda: here.sees("west", {"east", "west"}), "west sees east")

            async def beaten() -> bool:
                return (await here.told("east"), await here.told("west")) == ({"west"}, {"east"})

            async def hidden() -> bool:
                policy = await here.broker.get(Resource.CONNECTION_POLICY, "apart", BROKER_NAMESPACE)
                said = (policy.get("status") or {}).get("conditions") or []
                return [(one["type"], one["status"], one["reason"]) for one in said] == [
                    ("Accepted", "True", "Valid"),
                    ("Hidden", "True", "Mailboxes"),
                    ("Matching", "True", "EveryPair"),
                ]

            async def silent() -> bool:
                return (await here.told("east"), await here.told("west")) == (set(), set())

            await eventually(beaten, "heartbeats are told")
            await here.broker.create(Resource.CONNECTION_POLICY, APART)
            await eventually(lambda: here.sees("east", {"east"}), "east sees itself alone")
            await eventually(lambda: here.sees("west", {"west"}), "west sees itself alone")
            await eventually(hidden, "the policy says that what it forbids is hidden")
            await eventually(silent, "heartbeats are not told any more")
            await here.broker.delete(Resource.CONNECTION_POLICY, "apart", BROKER_NAMESPACE)
            await eventually(lambda: here.sees("east", {"east", "west"}), "east sees west again")

    asyncio.run(story())


def test_a_watch_that_was_open_before_a_policy_shows_an_end_and_nothing_after() -> None:
    async def story() -> None:
        here = Set()
        async with here.running():
            await eventually(lambda: here.sees("west", {"east", "west"}), "west sees east")
            events: list[tuple[str, Object]] = []
            async with running(here.watch("west", events)):
                await asyncio.sleep(0.05)
                await here.broker.create(Resource.CONNECTION_POLICY, APART)
                await eventually(lambda: here.sees("west", {"west"}), "west sees itself alone")
                east, _ = await here.broker.list(Resource.ENDPOINT, mailbox_name("east"))
                config = {"spec": {"backend_config": {"publicKey": "new"}}}
                await here.broker.merge(Resource.ENDPOINT, east[0]["metadata"]["name"], mailbox_name("east"), config)

                async def ended() -> bool:
                    shown = [(event, obj["spec"]["cluster_id"]) for event, obj in events]
                    return [each for each in shown if each[1] == "east"] == [("DELETED", "east")]

                await eventually(ended, "the watch shows the end")
                await asyncio.sleep(0.2)
                assert await ended()

    asyncio.run(story())


def test_a_mailbox_is_never_without_an_endpoint_of_a_member_whose_gateway_moves() -> None:
    """The new one and the end of the old one are seen in one look: whoever is shown nothing cuts the member off."""

    async def story() -> None:
        here = Set()
        async with here.running() as tasks:
            await eventually(lambda: here.sees("west", {"east", "west"}), "west sees east")
            for gateway in tasks[1:]:
                gateway.cancel()
            await asyncio.gather(*tasks[1:], return_exceptions=True)
            events: list[tuple[str, Object]] = []
            async with running(here.watch("west", events)):
                await asyncio.sleep(0.05)
                held, _ = await here.broker.list(Resource.ENDPOINT, mailbox_name("east"))
                old = next(obj for obj in held if obj["spec"]["cluster_id"] == "east")
                before = old["metadata"]["name"]
                metadata = {key: old["metadata"][key] for key in ("namespace", "labels")}
                new = {**old, "metadata": {**metadata, "name": f"{before}-moved"}}
                await asyncio.gather(
                    here.broker.delete(Resource.ENDPOINT, before, mailbox_name("east")),
                    here.broker.create(Resource.ENDPOINT, new),
                )
                moved = [("ADDED", f"{before}-moved"), ("DELETED", before)]

                def shown() -> list[tuple[str, str]]:
                    named = [(event, obj["metadata"]["name"]) for event, obj in events]
                    return [each for each in named if each[1].startswith(before)]

                async def over() -> bool:
                    return len(shown()) == len(moved)

                await eventually(over, "the mailbox shows the move")
                assert shown() == moved

    asyncio.run(story())


def test_both_ends_say_that_policies_disagree_about_them_and_learn_no_more_of_each_other() -> None:
    async def story() -> None:
        here = Set()
        async with here.running():
            for policy in (APART, AGAINST):
                await here.broker.create(Resource.CONNECTION_POLICY, policy)

            async def said() -> bool:
                reasons = []
                for name, other in (("east", "west"), ("west", "east")):
                    try:
                        obj = await here.members[name].api.get(Resource.CLUSTER, other, MEMBER_NAMESPACE)
                    except APIError:
                        return False
                    conditions = (obj.get("status") or {}).get("conditions") or []
                    reasons += [one["reason"] for one in conditions if one["type"] == "Accepted"]
                    reasons += obj["spec"]["cluster_cidr"]
                return reasons == ["Conflicted", "0.0.0.0/32"] * 2

            await eventually(said, "both name the conflict")
            assert await here.known("east") == {"east"}

    asyncio.run(story())


def test_without_the_agent_what_was_told_stays_and_both_ends_cut_off_whom_a_policy_parts() -> None:
    async def story() -> None:
        here = Set()
        async with here.running() as tasks:
            await eventually(lambda: here.sees("east", {"east", "west"}), "east sees west")
            await eventually(lambda: here.sees("west", {"east", "west"}), "west sees east")
            tasks.pop(0).cancel()
            await asyncio.sleep(0.3)
            assert await here.sees("east", {"east", "west"})
            await here.broker.create(Resource.CONNECTION_POLICY, APART)

            async def parted() -> bool:
                return (await here.known("east"), await here.known("west")) == ({"east"}, {"west"})

            await eventually(parted, "each end keeps the policy by itself")
            assert ("Endpoint", "west") in await here.shown("east")
            async with running(BrokerAgent(BROKER_NAMESPACE, here.broker, Mutant()).run()):
                await eventually(lambda: here.sees("east", {"east"}), "a new agent keeps the policy")

    asyncio.run(story())


def test_both_ends_go_by_labels_that_were_given_in_the_common_namespace() -> None:
    async def story() -> None:
        here = Set()
        async with here.running() as tasks:
            await eventually(lambda: here.sees("east", {"east", "west"}), "east sees west")
            for name in ("east", "west"):
                labels = {"metadata": {"labels": {"role": name}}}
                await here.broker.merge(Resource.CLUSTER, name, BROKER_NAMESPACE, labels)

            async def labelled() -> bool:
                box = mailbox_name("east")
                held = [await here.broker.get(Resource.CLUSTER, name, box) for name in ("east", "west")]
                return [obj["metadata"]["labels"].get("role") for obj in held] == ["east", "west"]

            await eventually(labelled, "the mailbox says how its own member and the other are labelled")
            tasks.pop(0).cancel()
            sides = {"left": {"matchLabels": {"role": "west"}}, "right": {"matchLabels": {"role": "east"}}}
            await here.broker.create(Resource.CONNECTION_POLICY, {**APART, "spec": {**sides, "action": "Isolate"}})

            async def parted() -> bool:
                return (await here.known("east"), await here.known("west")) == ({"east"}, {"west"})

            await eventually(parted, "each end keeps the policy by itself")

    asyncio.run(story())


def test_a_pair_is_cut_before_its_own_api_has_taken_what_is_written_about_it() -> None:
    async def story() -> None:
        here = Set()
        async with here.running():
            await eventually(lambda: here.sees("east", {"east", "west"}), "east sees west")
            kernel, api = here.kernels["east"], here.members["east"].api

            def reaches() -> bool:
                return any(str(each.destination).startswith("10.2.") for each in kernel.observe().state.routes)

            async def connected() -> bool:
                return reaches()

            async def cut() -> bool:
                return not reaches()

            await eventually(connected, "east has a route to west")

            hanging = asyncio.Event()

            async def hang(*_: object) -> None:
                hanging.set()
                await asyncio.sleep(3600)

            with patch.multiple(api, delete=hang, replace=hang):
                labels = {"metadata": {"labels": {"role": "west"}}}
                await here.broker.merge(Resource.CLUSTER, "west", BROKER_NAMESPACE, labels)
                async with asyncio.timeout(PATIENCE):
                    await hanging.wait()  # from here on a write is under way
                await here.broker.create(Resource.CONNECTION_POLICY, APART)
                await eventually(cut, "east has no route to west")
                assert await here.known("east") == {"east", "west"}

    asyncio.run(story())


def test_a_mailbox_whose_rights_come_after_its_namespace_is_filled_soon() -> None:
    async def story() -> None:
        broker = Guarded()
        granted = {name: member_access(name, mailbox=True) for name in ("east", "west")}
        for obj in granted["east"]:
            await broker.apply(Resource.of(obj), obj)
        metadata = {"name": "east", "namespace": mailbox_name("east"), "labels": {CLUSTER_ID_LABEL: "east"}}
        head = {"apiVersion": "submariner.io/v1", "kind": "Cluster", "metadata": metadata}
        await broker.create(Resource.CLUSTER, {**head, "spec": {"cluster_id": "east"}})
        async with running(BrokerAgent(BROKER_NAMESPACE, broker, Mutant()).run()):
            await broker.apply(Resource.NAMESPACE, next(obj for obj in granted["west"] if obj["kind"] == "Namespace"))
            await asyncio.sleep(0.3)
            broker.closed = ""
            for obj in granted["west"]:
                if obj["kind"] != "Namespace":
                    await broker.apply(Resource.of(obj), obj)

            async def filled() -> bool:
                return bool((await broker.list(Resource.CLUSTER, mailbox_name("west")))[0])

            async with asyncio.timeout(PERIOD / 2):
                await eventually(filled, "west sees east")

    asyncio.run(story())


def test_a_member_that_changes_all_the_time_is_told_about_at_a_pace_and_its_last_word_arrives() -> None:
    async def story() -> None:
        broker = Guarded()
        broker.closed = ""
        for name in ("east", "west"):
            for obj in member_access(name, mailbox=True):
                await broker.apply(Resource.of(obj), obj)
        metadata = {"name": "east", "namespace": mailbox_name("east"), "labels": {CLUSTER_ID_LABEL: "east"}}
        head = {"apiVersion": "submariner.io/v1", "kind": "Cluster", "metadata": metadata}
        await broker.create(Resource.CLUSTER, {**head, "spec": {"cluster_id": "east", "serial": 0}})
        clock = asyncio.get_running_loop()
        async with running(BrokerAgent(BROKER_NAMESPACE, broker, Mutant()).run()):
            began = clock.time()
            for serial in range(1, 101):
                await broker.merge(Resource.CLUSTER, "east", mailbox_name("east"), {"spec": {"serial": serial}})
                await asyncio.sleep(0.01)
            paced = BURST + 1 + (clock.time() - began) / EVERY
            assert broker.replaced <= 2 * paced, "two copies, in the mailbox of west and in the common namespace"

            async def told() -> bool:
                (copy,) = (await broker.list(Resource.CLUSTER, mailbox_name("west")))[0]
                return bool(copy["spec"].get("serial") == 100)

            await eventually(told, "west is told what east said last")

    asyncio.run(story())
