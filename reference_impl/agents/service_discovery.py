"""The agent that makes exported Services known across clusters (KEP-1645); at work where the gateway is active.

It writes what it must and packets never wait for it: names lead to addresses that the other agents connect.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reference_impl.agents.cache import Cache
from reference_impl.agents.last import Last
from reference_impl.agents.lease import is_held_by
from reference_impl.agents.loop import Loop
from reference_impl.agents.writing import REFUSED, carry_out, rfc3339_now, say
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.names import CONTESTED, GATEWAY_LEASE
from reference_impl.planner.conditions import joined
from reference_impl.planner.exchange import Side
from reference_impl.planner.service_discovery import ServiceFacts, plan_services

if TYPE_CHECKING:
    from reference_impl.agents.settings import BrokerAccess, Settings
    from reference_impl.drivers.api import API
    from reference_impl.planner.service_discovery import ServicePlan

_LOG = logging.getLogger(__name__)
PERIOD = 10.0
"""Seconds between two looks without a cause."""
_REPEAT = 60.0
"""Seconds until what was refused is tried again though nothing has changed."""
_NOT_OURS = 5.0
"""Seconds until the next look where somebody else presents our identity."""
_WHOLE_CLUSTER = (
    Resource.SERVICE_EXPORT,
    Resource.SERVICE,
    Resource.ENDPOINT_SLICE,
    Resource.NAMESPACE,
    Resource.SERVICE_IMPORT,
)
_OWN_NAMESPACE = (Resource.LEASE, Resource.CLUSTER, Resource.ENDPOINT)
_AT_BROKER = (Resource.SERVICE_IMPORT, Resource.ENDPOINT_SLICE)


class ServiceDiscovery:
    """Observe, plan, write, for one member."""

    def __init__(self, settings: Settings, access: BrokerAccess, *, member: API, broker: API) -> None:
        self._settings = settings
        self._access = access
        self._apis = {Side.MEMBER: member, Side.BROKER: broker}
        self._loop = Loop(self.reconcile, PERIOD)
        wake = self._loop.wake
        # Only where there are global addresses is there anything that gives them.
        whole = (*_WHOLE_CLUSTER, *((Resource.INGRESS_IP,) if settings.cluster.global_cidrs else ()))
        self._here = {
            **{kind: Cache(member, kind, "", wake) for kind in whole},
            **{kind: Cache(member, kind, settings.namespace, wake) for kind in _OWN_NAMESPACE},
        }
        self._there = {kind: Cache(broker, kind, access.namespace, wake) for kind in _AT_BROKER}
        self._plan: Last[ServiceFacts, ServicePlan] = Last()
        self._done: tuple[ServicePlan, float] | None = None
        """The plan that was carried out last, and until when that is enough."""

    async def run(self) -> None:
        """Run until cancelled. Nothing is written until everything was seen: what is not known is not gone."""
        caches = (*self._here.values(), *self._there.values())
        async with asyncio.TaskGroup() as tasks:
            for cache in caches:
                tasks.create_task(cache.run())
            for cache in caches:
                await cache.synced.wait()
            tasks.create_task(self._loop.run())

    async def reconcile(self) -> None:
        """Make one step."""
        lease = self._here[Resource.LEASE].get(GATEWAY_LEASE)
        if lease is None or not is_held_by(lease, self._settings.node):
            return
        facts = self._facts()
        plan = self._plan.answer(facts, lambda: plan_services(facts))
        now = asyncio.get_running_loop().time()
        if self._done is not None and self._done[0] is plan and now < self._done[1]:
            return
        upwards, repeat = [write for write in plan.writes if write.side is Side.BROKER], _REPEAT
        if upwards and not await self._is_us(str(lease["metadata"].get("uid") or "")):
            upwards, repeat = [], _NOT_OURS
            self._loop.wake_in(_NOT_OURS)
        for write in (*upwards, *(each for each in plan.writes if each.side is Side.MEMBER)):
            await carry_out(self._apis, Resource.of(write.obj), write)
        for obj, exporters in plan.exporters:
            await say(self._apis[Side.MEMBER], obj, {"clusters": [{"cluster": name} for name in exporters]})
        for export, conditions in plan.said:
            await say(self._apis[Side.MEMBER], export, {"conditions": joined(export, conditions, now=rfc3339_now())})
        self._done = plan, now + repeat

    def _facts(self) -> ServiceFacts:
        here = {kind: cache.items for kind, cache in self._here.items()}
        return ServiceFacts(
            own_id=self._settings.cluster.cluster_id,
            broker_namespace=self._access.namespace,
            global_cidrs=self._settings.cluster.global_cidrs,
            exports=here[Resource.SERVICE_EXPORT],
            services=here[Resource.SERVICE],
            slices=here[Resource.ENDPOINT_SLICE],
            ingress=here.get(Resource.INGRESS_IP, ()),
            namespaces=here[Resource.NAMESPACE],
            imports=here[Resource.SERVICE_IMPORT],
            clusters=here[Resource.CLUSTER],
            endpoints=here[Resource.ENDPOINT],
            offered=self._there[Resource.SERVICE_IMPORT].items,
            offered_slices=self._there[Resource.ENDPOINT_SLICE].items,
        )

    async def _is_us(self, instance: str) -> bool:
        """Say whether the heartbeat at the broker is this cluster's, or nobody's: clones do not write (ADR 16)."""
        try:
            lease = next(
                (
                    each
                    for each in (await self._apis[Side.BROKER].list(Resource.LEASE, self._access.namespace))[0]
                    if each["metadata"]["name"] == self._settings.cluster.cluster_id
                ),
                None,
            )
        except APIError as error:
            if error.code in REFUSED or isinstance(error, NotFoundError):
                return True
            raise
        if lease is None:
            return True
        holder = str((lease.get("spec") or {}).get("holderIdentity") or "")
        contested = (lease["metadata"].get("annotations") or {}).get(CONTESTED)
        return not contested and holder.startswith(f"{instance}/")
