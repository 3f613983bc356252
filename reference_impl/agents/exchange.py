"""Keeps the member's and the broker's Clusters and Endpoints alike."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from reference_impl.agents.cache import Cache
from reference_impl.agents.last import Last
from reference_impl.agents.writing import carry_out, side_by_side
from reference_impl.drivers.api import API, Resource
from reference_impl.names import BROKER_NAMESPACE
from reference_impl.planner.conditions import AUTHENTICATION_FAILED
from reference_impl.planner.connections import agreed, decide_all, told
from reference_impl.planner.exchange import (
    ExchangeFacts,
    Side,
    WriteVerb,
    forgeries,
    make_before_break,
    plan_exchange,
    without,
)
from reference_impl.planner.mailboxes import owner_of
from reference_impl.planner.membership import Refusal
from reference_impl.planner.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.agents.settings import BrokerAccess, Settings
    from reference_impl.mutants import Mutant
    from reference_impl.planner.exchange import Write
    from reference_impl.protocols.policy import Decision

_LOG = logging.getLogger(__name__)
_ABSENT = frozenset({403, 404})
KINDS = (Resource.CLUSTER, Resource.ENDPOINT)


class Exchange:
    """Both ways between two APIs. While the broker cannot be reached, everything stays as it was last seen."""

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        apis: Mapping[Side, API],
        member: Mapping[Resource, Cache],
        changed: Callable[[], None],
        mutant: Mutant,
    ) -> None:
        self._settings = settings
        self._access = access
        self._apis = apis
        self._member = member
        self._changed = changed
        self._mutant = mutant
        self._pace = Pace()

        def at_broker(kind: Resource) -> Cache:
            return Cache(apis[Side.BROKER], kind, access.namespace, changed, mutant.mirror)

        self._broker = {kind: at_broker(kind) for kind in KINDS}
        self._policies = Cache(apis[Side.BROKER], Resource.CONNECTION_POLICY, BROKER_NAMESPACE, changed, mutant.mirror)
        self._decided: Last[object, Mapping[str, Decision]] = Last()
        self._plans: Mapping[Resource, Last[ExchangeFacts, tuple[Write, ...]]] = {kind: Last() for kind in KINDS}

    @property
    def problem(self) -> str:
        """Why the broker cannot be read now; "" while it can."""
        return next((f"broker: {cache.problem}" for cache in self._broker.values() if cache.problem), "")

    async def run(self) -> None:
        """Keep the broker's side in view until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for cache in (*self._broker.values(), self._policies):
                tasks.create_task(cache.run())

    @property
    def forgeries(self) -> tuple[Refusal, ...]:
        """Members that wrote in the name of another one, as the broker shows them now."""
        objects = (obj for cache in self._broker.values() for obj in cache.items)
        return tuple(
            Refusal(cluster_id=writer, reason=AUTHENTICATION_FAILED, message=message)
            for writer, message in sorted(forgeries(objects).items())
        )

    def parted(self, given_up: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return the members to be cut before anything is written: parted by policies, or not shown any more.

        A broker hides whom a policy parts from this member, and may do so before the policy itself is seen here.
        """
        if not self._is_known:
            return frozenset()
        now = {name for name, decision in self._decisions.items() if not decision.connects}
        going = {
            owner_of(write.obj)
            for write in self._mutant.writes(self._planned(Resource.ENDPOINT, given_up))
            if write.verb is WriteVerb.DELETE and write.side is Side.MEMBER
        }
        shown = {owner_of(obj) for obj in self._broker[Resource.ENDPOINT].items}
        return frozenset(now | (going - shown))

    async def step(self, given_up: frozenset[str] = frozenset()) -> None:
        """Write what separates the two sides; nothing until all of the broker's objects were seen.

        What members that are given up have at the broker is delivered to nobody: it stays theirs, and the
        administrator's, to delete.
        """
        if not self._is_known:
            return
        now = asyncio.get_running_loop().time
        writes = [
            write
            for kind in KINDS
            for write in self._mutant.writes(self._planned(kind, given_up))
            if write.verb is not WriteVerb.REPLACE or self._pace.may(_key(write), now())
        ]
        for some in make_before_break(writes):
            await side_by_side(partial(carry_out, self._apis, Resource.of(write.obj), write) for write in some)
        if (seconds := self._pace.due(now())) is not None:
            asyncio.get_running_loop().call_later(seconds, self._changed)

    def _planned(self, kind: Resource, given_up: frozenset[str]) -> tuple[Write, ...]:
        facts = ExchangeFacts(
            own_id=self._settings.cluster.cluster_id,
            member_namespace=self._settings.namespace,
            broker_namespace=self._access.namespace,
            member=self._member[kind].items,
            broker=self._mutant.received(without(given_up, self._broker[kind].items)),
            decisions=self._decisions,
            mailbox=self._access.is_mailbox,
        )
        return self._plans[kind].answer(facts, partial(plan_exchange, facts))

    @property
    def _is_known(self) -> bool:
        """Say whether everything was seen that says who may connect.

        Policies too: what they forbid is never delivered, not for a moment either. A broker that knows no policies, or
        lets this member read none, has none.
        """
        policies = self._policies
        known = policies.synced.is_set() or policies.refused in _ABSENT
        return known and all(cache.synced.is_set() for cache in self._broker.values())

    @property
    def _decisions(self) -> Mapping[str, Decision]:
        """What is known now about each other member, if it is not that the two connect.

        A mailbox says itself what the broker's agent decided; this end waits for nobody where policies say no.
        """
        if not self._is_known:
            return {}
        clusters, endpoints = (self._broker[kind].items for kind in KINDS)
        asked = (self._settings.cluster.cluster_id, clusters, self._policies.items, endpoints)
        decided = self._decided.answer(asked, lambda: decide_all(*asked))
        return self._mutant.decisions(agreed(decided, told(clusters)) if self._access.is_mailbox else decided)


def _key(write: Write) -> tuple[Side, str, str]:
    return write.side, write.obj["kind"], write.obj["metadata"]["name"]
