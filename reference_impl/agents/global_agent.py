"""The agent that gives a cluster its global addresses; one per gateway node, at work where the gateway is active."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.agents.cache import Cache
from reference_impl.agents.kernel_hand import KernelHand
from reference_impl.agents.last import Last
from reference_impl.agents.lease import is_held_by
from reference_impl.agents.ledger_book import LedgerBook
from reference_impl.agents.loop import Loop
from reference_impl.agents.views import read_endpoints, read_nodes
from reference_impl.agents.writing import about_one_object, rfc3339_now, say, side_by_side
from reference_impl.drivers.api import ConflictError, Resource
from reference_impl.flows import suspects
from reference_impl.names import CLUSTER_EGRESS, GATEWAY_LEASE, GLOBAL_PROTOCOL, GLOBAL_TABLE, MANAGED_BY
from reference_impl.planner.addresses import host_addresses
from reference_impl.planner.conditions import joined, says
from reference_impl.planner.exports import plan_exports
from reference_impl.planner.global_objects import read_egress, read_ingress, uid_of
from reference_impl.planner.global_plan import (
    FOUR,
    GlobalFacts,
    GlobalPlan,
    object_version,
    plan_global,
    ranges_of,
    reserved_ranges,
)
from reference_impl.planner.global_status import addresses_of
from reference_impl.planner.ledger import due, settle
from reference_impl.state import KernelState, Ownership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import API, Object
    from reference_impl.drivers.kernel import Kernel
    from reference_impl.flows import Bindings
    from reference_impl.mutants import Mutant
    from reference_impl.planner.conditions import Condition
    from reference_impl.planner.exports import Exports
    from reference_impl.planner.ledger import Claim, Settlement
    from reference_impl.planner.node import Node
    from reference_impl.state import IPAddress, IPNetwork, Observed

_LOG = logging.getLogger(__name__)
OWNERSHIP = Ownership(protocol=GLOBAL_PROTOCOL, devices=(), table=GLOBAL_TABLE)
PERIOD = 2.0
"""Seconds between two looks without a cause."""
CLUSTER_ADDRESSES = 8
"""What a cluster calls as, unless its ClusterGlobalEgressIP says otherwise."""
_ASKING = (Resource.INGRESS_IP, Resource.EGRESS_IP, Resource.CLUSTER_EGRESS_IP)
_KINDS = (Resource.POD, Resource.SERVICE, Resource.ENDPOINT_SLICE, Resource.SERVICE_EXPORT, *_ASKING)


class GlobalAgent:
    """Observe, plan, diff, apply, report, for one gateway node."""

    def __init__(self, settings: Settings, api: API, kernel: Kernel, mutant: Mutant) -> None:
        self._settings = settings
        self._api = api
        self._mutant = mutant
        self._devices = load_drivers(settings.drivers).devices
        self._hand = KernelHand(kernel, mutant)
        self._loop = Loop(self.reconcile, PERIOD)
        wake = self._loop.wake
        self._lease = Cache(api, Resource.LEASE, settings.namespace, wake)
        self._nodes = Cache(api, Resource.NODE, "", wake)
        self._endpoints = Cache(api, Resource.ENDPOINT, settings.namespace, wake)
        self._caches = {kind: Cache(api, kind, "", wake, mutant.mirror) for kind in _KINDS}
        # Addresses of IPv4 are given out; prefixes of IPv6 are translated as they are.
        pool = next((each for each in settings.cluster.global_cidrs if each.version == FOUR), None)
        self._book = LedgerBook(api, settings.namespace, pool) if pool is not None else None
        self._plan: Last[GlobalFacts, GlobalPlan] = Last()
        self._bound: tuple[Bindings, ...] = ()
        """What flows were last brought to."""

    async def run(self) -> None:
        """Run until cancelled. Translations stay as they are: ending an agent is no uninstallation."""
        caches = (self._lease, self._nodes, self._endpoints, *self._caches.values())
        try:
            async with asyncio.TaskGroup() as tasks:
                for cache in caches:
                    tasks.create_task(cache.run())
                for cache in caches:
                    await cache.synced.wait()
                tasks.create_task(self._loop.run())
        finally:
            self._hand.close()

    async def reconcile(self) -> None:
        """Make one step. Addresses first, then packets, then words: nobody is told what is not there yet."""
        observed = await self._hand.observe()
        if not self._is_active():
            await self._hand.converge(KernelState(), observed)
            self._forget()
            self._bound = ()  # flows that begin meanwhile begin without a translation
            return
        try:
            await self._lead(observed)
        except ConflictError:
            self._forget()
            self._loop.wake()

    def _forget(self) -> None:
        if self._book is not None:
            self._book.forget()

    def _is_active(self) -> bool:
        return is_held_by(self._lease.get(GATEWAY_LEASE), self._settings.node)

    async def _lead(self, observed: Observed) -> None:
        objects = {kind: cache.items for kind, cache in self._caches.items()}
        own, remote = self._settings.cluster, self._remote()
        exports = plan_exports(
            objects[Resource.SERVICE_EXPORT],
            objects[Resource.SERVICE],
            objects[Resource.ENDPOINT_SLICE],
            objects[Resource.INGRESS_IP],
            version=object_version(own),
            reserved=reserved_ranges(own, remote),
        )
        await self._make(exports, objects[Resource.CLUSTER_EGRESS_IP])
        ingress, bad_ingress = read_ingress(objects[Resource.INGRESS_IP])
        egress, bad_egress = read_egress(objects[Resource.EGRESS_IP], objects[Resource.CLUSTER_EGRESS_IP])
        settlement = await self._settle([*(each.claim for each in ingress), *(each.claim for each in egress)])
        nodes = read_nodes(self._nodes.items)
        facts = GlobalFacts(
            own=own,
            settlement=settlement,
            ingress=ingress,
            egress=egress,
            unusable=(*bad_ingress, *bad_egress),
            objects=tuple(obj for kind in _ASKING for obj in objects[kind]),
            pods=objects[Resource.POD],
            services=objects[Resource.SERVICE],
            slices=objects[Resource.ENDPOINT_SLICE],
            pod_ranges=ranges_of(node.pod_ranges for node in nodes),
            gateway=self._own_addresses(nodes, observed),
            remote=remote,
            devices=self._devices,
        )
        plan = self._plan.answer(facts, lambda: plan_global(facts))
        if plan.problem:
            _LOG.error("%s", plan.problem)
        if await self._hand.converge(plan.kernel, observed):
            return
        if plan.bindings != self._bound:
            before = {each.pool: each for each in self._bound}
            for each in plan.bindings:
                await self._hand.forget(each, suspects(before.get(each.pool), each))
            self._bound = plan.bindings
        words: list[tuple[Object, tuple[Condition, ...], Mapping[str, object]]] = [
            (said.obj, said.conditions, addresses_of(said)) for said in plan.statuses
        ]
        words += [(export, exports.said[uid_of(export)], {}) for export in objects[Resource.SERVICE_EXPORT]]
        await side_by_side(partial(self._say, *each) for each in words if not _is_said(*each))

    async def _settle(self, claims: Iterable[Claim]) -> Settlement | None:
        """Give out addresses and put them on record; None if there is no range to give out of."""
        if self._book is None:
            return None
        now = int(time.time())
        settlement = self._mutant.settlement(settle(await self._book.open(), claims, now))
        await self._book.keep(settlement.ledger)
        rested = due(settlement.ledger, now)
        if rested is not None and settlement.refused:
            self._loop.wake_in(rested + 1)
        return settlement

    def _remote(self) -> tuple[IPNetwork, ...]:
        """Return what other members are reached at."""
        endpoints, _ = read_endpoints(self._endpoints.items)
        own = self._settings.cluster.cluster_id
        return tuple(subnet for each in endpoints if each.cluster_id != own for subnet in each.subnets)

    def _own_addresses(self, nodes: Iterable[Node], observed: Observed) -> dict[int, IPAddress]:
        """Return under which addresses this node appears among pods, by IP version."""
        here = next((node for node in nodes if node.name == self._settings.node), None)
        if here is None:
            return {}
        return host_addresses(observed.addresses, self._settings.cluster.pod_cidrs, here.pod_ranges)

    async def _make(self, exports: Exports, cluster_wide: Iterable[Object]) -> None:
        """Create and delete what follows from exports, and the cluster's own egress object."""
        await side_by_side(partial(self._delete, obj) for obj in exports.delete)
        await side_by_side(partial(self._create, obj) for obj in exports.create)
        if self._book is not None and not any(each["metadata"]["name"] == CLUSTER_EGRESS for each in cluster_wide):
            kind = Resource.CLUSTER_EGRESS_IP
            metadata = {"name": CLUSTER_EGRESS, "labels": {"app.kubernetes.io/managed-by": MANAGED_BY}}
            body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
            with suppress(ConflictError):
                await self._api.create(kind, {**body, "spec": {"numGlobalIPs": CLUSTER_ADDRESSES}})

    async def _delete(self, obj: Object) -> None:
        with about_one_object():
            await self._api.delete(Resource.INGRESS_IP, obj["metadata"]["name"], obj["metadata"]["namespace"])

    async def _create(self, obj: Object) -> None:
        with about_one_object():
            await self._api.create(Resource.INGRESS_IP, obj)

    async def _say(self, obj: Object, conditions: tuple[Condition, ...], fields: Mapping[str, object]) -> None:
        status = {"conditions": joined(obj, conditions, now=rfc3339_now()), **fields}
        await say(self._api, obj, status)


def _is_said(obj: Object, conditions: tuple[Condition, ...], fields: Mapping[str, object]) -> bool:
    status = obj.get("status") or {}
    return says(obj, conditions) and all(
        (status.get(name) or None) == (value or None) for name, value in fields.items()
    )
