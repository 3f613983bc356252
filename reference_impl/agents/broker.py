"""The agent at the broker: fills members' mailboxes with what connection policies let each of them see (ADR 25).

It decides nothing that packets wait for: while it is away everything stays as it was last told, as while the broker
is. It keeps no state; two that run at once write the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reference_impl.agents.beats import BEAT, Beats
from reference_impl.agents.cache import Cache
from reference_impl.agents.last import Last
from reference_impl.agents.loop import Loop
from reference_impl.agents.writing import carry_out, rfc3339_now, say
from reference_impl.drivers.api import Resource
from reference_impl.names import CLUSTER_ID_LABEL, MAILBOX
from reference_impl.planner.conditions import stamped
from reference_impl.planner.connections import decide_all
from reference_impl.planner.exchange import Side, Write, WriteVerb, make_before_break
from reference_impl.planner.hiding import hiding
from reference_impl.planner.mailboxes import BrokerFacts, owner_of, plan_mailboxes, registered
from reference_impl.planner.pacing import Pace
from reference_impl.planner.policy_findings import policy_conditions
from reference_impl.protocols.policy import member_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reference_impl.drivers.api import API, Object
    from reference_impl.mutants import Mutant
    from reference_impl.protocols.policy import Decision

_LOG = logging.getLogger(__name__)
PERIOD = 10.0
"""Seconds between two looks without a cause."""
_AT_ONCE = 8
"""Writes under way at the same time."""
TRAVELLING = (Resource.CLUSTER, Resource.ENDPOINT, Resource.SERVICE_IMPORT, Resource.ENDPOINT_SLICE)
_Decisions = dict[str, "Mapping[str, Decision]"]


class BrokerAgent:
    """Observe, plan, write, for all members."""

    def __init__(self, common: str, api: API, mutant: Mutant) -> None:
        """Prepare; ``common`` is the broker's namespace."""
        self._common = common
        self._api = api
        self._mutant = mutant
        self._loop = Loop(self.reconcile, PERIOD)
        self._beats = Loop(self.tell_beats, BEAT)
        wake = self._loop.wake
        self._objects = {kind: Cache(api, kind, "", wake) for kind in TRAVELLING}
        self._namespaces = Cache(api, Resource.NAMESPACE, "", wake)
        self._policies = Cache(api, Resource.CONNECTION_POLICY, common, wake)
        self._lives = Beats(api, wake)
        self._pace = Pace()
        self._decided: Last[object, _Decisions] = Last()

    async def run(self) -> None:
        """Run until cancelled. Nothing is written until everything was seen: policies too."""
        caches = (*self._objects.values(), self._namespaces, self._policies)
        async with asyncio.TaskGroup() as tasks:
            for cache in caches:
                tasks.create_task(cache.run())
            for cache in caches:
                await cache.synced.wait()
            tasks.create_task(self._loop.run())
            tasks.create_task(self._beats.run())

    async def reconcile(self) -> None:
        """Make one step."""
        mailboxes = self._mailboxes()
        objects = self._travelling()
        facts = BrokerFacts(
            common=self._common,
            mailboxes=mailboxes,
            objects=objects,
            decisions=self._decisions(objects, mailboxes),
        )
        now = asyncio.get_running_loop().time()
        writes = [
            write
            for write in self._mutant.filled(plan_mailboxes(facts))
            # Who changes all the time is told about at a pace, and delays nobody else's news (L3-N2).
            if write.verb is not WriteVerb.REPLACE or self._pace.may(_key(write), now)
        ]
        if (seconds := self._pace.due(now)) is not None:
            self._loop.wake_in(seconds)
        # What somebody may no longer see goes before anybody is told anything new, and what has a successor goes last.
        first, succeeded = make_before_break(writes)
        await self._write([write for write in first if write.verb is WriteVerb.DELETE])
        await self._write([write for write in first if write.verb is not WriteVerb.DELETE])
        await self._write(succeeded)
        if self._policies.items:
            await self._say(objects, mailboxes)

    async def tell_beats(self) -> None:
        """Tell every mailbox what has become of the members that it may see."""
        mailboxes = self._mailboxes()
        await self._lives.step(mailboxes, self._decisions(self._travelling(), mailboxes))

    async def _say(self, objects: tuple[Object, ...], mailboxes: Mapping[str, str]) -> None:
        """Say of every policy whom it is about, and whether what it forbids is hidden; written when that changes."""
        known = registered(objects, self._common, mailboxes)
        members = tuple(member_of(obj, owner_of(obj)) for obj in known if obj["kind"] == "Cluster")
        hidden = hiding(objects, self._common, mailboxes)
        for policy in self._policies.items:
            before = (policy.get("status") or {}).get("conditions")
            generation = policy["metadata"].get("generation")
            wanted = (hidden, *policy_conditions(policy, members))
            said = stamped(wanted, before, now=rfc3339_now(), generation=generation)
            if said != before:
                await say(self._api, policy, {"conditions": said})

    def _travelling(self) -> tuple[Object, ...]:
        return tuple(obj for cache in self._objects.values() for obj in cache.items if owner_of(obj))

    def _mailboxes(self) -> Mapping[str, str]:
        return {
            str(owner): str(each["metadata"]["name"])
            for each in self._namespaces.items
            if (owner := (each["metadata"].get("labels") or {}).get(MAILBOX))
            and "deletionTimestamp" not in each["metadata"]
        }

    def _decisions(self, objects: tuple[Object, ...], mailboxes: Mapping[str, str]) -> _Decisions:
        known = registered(objects, self._common, mailboxes)
        clusters = tuple(_head(obj) for obj in known if obj["kind"] == "Cluster")
        owners = tuple(sorted({owner_of(obj) for obj in known}))
        asked = (tuple(mailboxes), clusters, self._policies.items, owners)
        return self._decided.answer(asked, lambda: self._decide(*asked))

    def _decide(
        self,
        readers: tuple[str, ...],
        clusters: tuple[Object, ...],
        policies: tuple[Object, ...],
        owners: tuple[str, ...],
    ) -> _Decisions:
        others = [{"metadata": {"labels": {CLUSTER_ID_LABEL: owner}}} for owner in owners]
        return {reader: self._mutant.decisions(decide_all(reader, clusters, policies, others)) for reader in readers}

    async def _write(self, writes: Sequence[Write]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def write(each: Write) -> None:
            async with turns:
                await carry_out({Side.BROKER: self._api}, Resource.of(each.obj), each)

        failed = [
            error
            for error in await asyncio.gather(*map(write, writes), return_exceptions=True)
            if isinstance(error, BaseException)
        ]
        if failed:
            raise failed[0]


def _key(write: Write) -> tuple[str, str, str]:
    metadata = write.obj["metadata"]
    return metadata["namespace"], write.obj["kind"], metadata["name"]


def _head(cluster: Object) -> Object:
    """Return what policies see of a Cluster."""
    spec = cluster.get("spec")
    colours = {"color_codes": spec.get("color_codes")} if isinstance(spec, dict) else {}
    return {"metadata": {"labels": cluster["metadata"]["labels"]}, "spec": colours}
