"""The route agent, one per node: packets for other clusters go to the gateway, theirs come home."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.agents.cache import Cache
from reference_impl.agents.health import HealthChecker
from reference_impl.agents.kernel_hand import KernelHand
from reference_impl.agents.last import Last
from reference_impl.agents.loop import Loop
from reference_impl.agents.reports import Reporter
from reference_impl.agents.views import MembershipView, read_nodes
from reference_impl.drivers.api import Resource
from reference_impl.names import NODE_DEVICE, NODE_TABLE, ROUTE_AGENT_PROTOCOL
from reference_impl.planner.departures import Departures
from reference_impl.planner.lingering import RELIEF, Lingering
from reference_impl.planner.membership import local_gateway, outer_addresses
from reference_impl.planner.node import NodeFacts, plan_node
from reference_impl.planner.status import route_agent_status
from reference_impl.state import Direction, KernelState, Ownership
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import API
    from reference_impl.drivers.echo import Echo
    from reference_impl.drivers.kernel import Kernel
    from reference_impl.mutants import Mutant
    from reference_impl.planner.node import Node
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPNetwork

OWNERSHIP = Ownership(protocol=ROUTE_AGENT_PROTOCOL, devices=(NODE_DEVICE,), table=NODE_TABLE, passages=True)
PERIOD = 2.0
"""Seconds between two looks without a cause: the time that a foreign hand in our kernel state goes unnoticed."""


class RouteAgent:
    """Observe, plan, diff, apply, report, for one node."""

    def __init__(
        self, settings: Settings, api: API, kernel: Kernel, echo: Echo, mutant: Mutant, cables: Kernel | None = None
    ) -> None:
        """``cables``: the kernel as a gateway agent on this node owns it, for what one leaves that was relieved."""
        self._settings = settings
        self._drivers = load_drivers(settings.drivers)
        self._hand = KernelHand(kernel, mutant)
        self._cables = KernelHand(cables, mutant) if cables is not None else None
        self._lingering = Lingering()
        self._relieved: float | None = None
        self._let_gone = False
        self._members = MembershipView(settings)
        self._plan: Last[NodeFacts, KernelState] = Last()
        self._departures = Departures()
        self._loop = Loop(self.reconcile, PERIOD)
        self._health = HealthChecker(echo, self._loop.wake)
        self._reporter = Reporter(api, Resource.ROUTE_AGENT, settings.node, settings.namespace, mutant)
        wake, mirror = self._loop.wake, mutant.mirror
        self._nodes = Cache(api, Resource.NODE, "", wake, mirror)
        self._clusters = Cache(api, Resource.CLUSTER, settings.namespace, wake, mirror)
        self._endpoints = Cache(api, Resource.ENDPOINT, settings.namespace, wake, mirror)

    async def run(self) -> None:
        """Run until cancelled. The data plane stays as it is: ending an agent is no uninstallation."""
        caches = (self._nodes, self._clusters, self._endpoints)
        try:
            async with asyncio.TaskGroup() as tasks:
                for cache in caches:
                    tasks.create_task(cache.run())
                for cache in caches:
                    await cache.synced.wait()
                tasks.create_task(self._health.run())
                tasks.create_task(self._loop.run())
        finally:
            self._hand.close()
            if self._cables is not None:
                self._cables.close()

    def _with_lingering(self, here: Node, gateway: Endpoint | None) -> tuple[Node, float]:
        """Return this node as what it is or was lately, and for how long another one has done its work.

        For 0 seconds while this is a gateway node, and while there is no other one to do it.
        """
        now = asyncio.get_running_loop().time()
        is_active = gateway is not None and gateway.private_ip == here.underlay
        holds_cables = here.is_gateway or is_active
        if holds_cables or gateway is None:
            self._relieved, self._let_gone = None, False
        elif self._relieved is None:
            self._relieved = now
            self._loop.wake_in(RELIEF)
        lingers = bool(self._lingering.of([here.name] if holds_cables else [], now))
        return replace(here, is_gateway=lingers), 0.0 if self._relieved is None else now - self._relieved

    async def _let_go(self) -> str:
        """Take away cables that a gateway agent left here: it ended with the label that brought it."""
        if self._cables is None or self._let_gone:
            return ""
        failure = await self._cables.converge(KernelState(), await self._cables.observe())
        self._let_gone = not failure
        return failure

    async def reconcile(self) -> None:
        """Make one step: observe, plan, diff, apply, report."""
        nodes = read_nodes(self._nodes.items)
        own_id = self._settings.cluster.cluster_id
        membership, endpoints = self._members.read(self._drivers, nodes, self._clusters.items, self._endpoints.items)
        here = next((node for node in nodes if node.name == self._settings.node), None)
        if here is None:
            return
        gateway = local_gateway(own_id, endpoints)
        here, relieved_for = self._with_lingering(here, gateway)
        observed = await self._hand.observe()
        departed = self._departures.look(
            membership.known, _decided(observed.state), self._settings.cluster.used, time.monotonic()
        )
        facts = NodeFacts(
            own=self._settings.cluster,
            node=here,
            others=tuple(node for node in nodes if node.name != here.name),
            gateway=gateway.private_ip if gateway else None,
            known=membership.known,
            departed=departed,
            reachable=tuple(subnet for peer in membership.peers for subnet in peer.subnets),
            addresses=observed.addresses,
            guards=observed.guards,
            outer=tuple(address for peer in membership.peers for address in outer_addresses(peer)),
            cable_devices=self._drivers.devices,
            cable_overhead=self._drivers.overhead[here.underlay.version],
        )
        plan = self._plan.answer(facts, lambda: plan_node(facts))
        failure = await self._hand.converge(plan, observed)
        if relieved_for >= RELIEF:
            failure = "; ".join(filter(None, (failure, await self._let_go())))
        self._health.watch(membership.peers, self._settings.cluster.versions)
        await self._reporter.report(route_agent_status(version=VERSION, peers=self._health.reports(), failure=failure))


def _decided(state: KernelState) -> list[IPNetwork]:
    """Return the ranges that rules of ours decide about."""
    return [rule.prefix for rule in state.rules if rule.direction is Direction.TO]
