"""The gateway agent: one per gateway node, one of them active. Cables to the other clusters, news to the broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.agents.cache import Cache
from reference_impl.agents.candidate import Candidate
from reference_impl.agents.events import ConnectionEvents
from reference_impl.agents.exchange import Exchange
from reference_impl.agents.health import HealthChecker
from reference_impl.agents.loop import KernelHand, Loop
from reference_impl.agents.publication import Publication
from reference_impl.agents.reports import Reporter
from reference_impl.agents.views import read_membership, read_nodes
from reference_impl.drivers.api import Resource
from reference_impl.names import CABLE_DEVICE, CABLE_TABLE, GATEWAY_PROTOCOL, IPSEC_DEVICE, WIREGUARD_DEVICE
from reference_impl.planner.addresses import host_addresses
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.exchange import Side
from reference_impl.planner.status import gateway_status
from reference_impl.protocols.election import Role
from reference_impl.protocols.objects import Endpoint, cable_name
from reference_impl.state import KernelState, Ownership
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.agents.settings import BrokerAccess, Settings
    from reference_impl.drivers.api import API
    from reference_impl.drivers.echo import Echo
    from reference_impl.drivers.kernel import Kernel
    from reference_impl.mutants import Mutant
    from reference_impl.planner.cable import CableDriver
    from reference_impl.planner.membership import Membership
    from reference_impl.planner.node import Node
    from reference_impl.state import Observed

OWNERSHIP = Ownership(
    protocol=GATEWAY_PROTOCOL, devices=(CABLE_DEVICE, WIREGUARD_DEVICE, IPSEC_DEVICE), table=CABLE_TABLE
)
"""Devices of all built-in cable drivers: one that was used before is taken down."""
PERIOD = 2.0
"""Seconds between two looks without a cause."""


class GatewayAgent:
    """Observe, plan, diff, apply, report, for one gateway node."""

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        driver: CableDriver,
        *,
        member: API,
        broker: API,
        kernel: Kernel,
        echo: Echo,
        mutant: Mutant,
    ) -> None:
        self._settings = settings
        self._driver = driver
        self._hand = KernelHand(kernel, mutant)
        self._loop = Loop(self._step, PERIOD)
        wake = self._loop.wake
        self._health = HealthChecker(echo, wake)
        self._reporter = Reporter(member, Resource.GATEWAY, settings.node, settings.namespace, mutant)
        self._events = ConnectionEvents(member, settings.node, settings.namespace)
        self._candidate = Candidate(member, settings.node, settings.namespace, wake)
        self._nodes = Cache(member, Resource.NODE, "", wake)
        self._objects = {
            kind: Cache(member, kind, settings.namespace, wake) for kind in (Resource.CLUSTER, Resource.ENDPOINT)
        }
        self._publication = Publication(member, settings, self._objects)
        self._exchange = Exchange(
            settings, access, {Side.MEMBER: member, Side.BROKER: broker}, self._objects, wake, mutant
        )

    async def run(self) -> None:
        """Run until cancelled. The data plane stays as it is: ending an agent is no uninstallation."""
        caches = (self._nodes, *self._objects.values())
        try:
            async with asyncio.TaskGroup() as tasks:
                for cache in caches:
                    tasks.create_task(cache.run())
                tasks.create_task(self._candidate.run())
                tasks.create_task(self._exchange.run())
                for cache in caches:
                    await cache.synced.wait()
                tasks.create_task(self._health.run())
                tasks.create_task(self._loop.run())
        finally:
            self._hand.close()

    async def _step(self) -> None:
        role = self._candidate.role
        nodes = read_nodes(self._nodes.items)
        here = next((node for node in nodes if node.name == self._settings.node), None)
        if role is Role.UNKNOWN or here is None:
            return
        observed = await self._hand.observe()
        local = self._endpoint(here, observed)
        if role is Role.ACTIVE:
            await self._lead(local, nodes, observed)
        else:
            failure = await self._hand.converge(KernelState(), observed)
            self._health.watch((), ())
            await self._report(local, None, failure)

    async def _lead(self, local: Endpoint, nodes: tuple[Node, ...], observed: Observed) -> None:
        """Packets first, then words: nothing on the way to a programmed kernel waits for the broker."""
        membership, _ = read_membership(
            self._settings,
            self._driver,
            nodes,
            self._objects[Resource.CLUSTER].items,
            self._objects[Resource.ENDPOINT].items,
        )
        plan = plan_cables(
            GatewayFacts(
                own=self._settings.cluster,
                underlay=local.private_ip,
                peers=membership.peers,
                addresses=observed.addresses,
            ),
            self._driver,
        )
        failure = await self._hand.converge(plan, observed)
        self._health.watch(membership.peers, self._settings.cluster.versions)
        await self._publication.publish(local)
        await self._exchange.step()
        await self._report(local, membership, failure)

    async def _report(self, local: Endpoint, membership: Membership | None, failure: str) -> None:
        peers = self._health.reports()
        await self._reporter.report(
            gateway_status(
                version=VERSION,
                active=membership is not None,
                local=local,
                peers=peers,
                refusals=membership.refusals if membership else (),
                failure=failure,
            )
        )
        await self._events.compare(peers)

    def _endpoint(self, here: Node, observed: Observed) -> Endpoint:
        cluster = self._settings.cluster
        health = tuple(host_addresses(observed.addresses, cluster.pod_cidrs, here.pod_ranges).values())
        return Endpoint(
            cluster_id=cluster.cluster_id,
            cable_name=cable_name(cluster.cluster_id, here.underlay),
            hostname=here.name,
            subnets=cluster.prefixes,
            private_ip=here.underlay,
            health_check_ip=next(iter(health), None),
            other_health_check_ips=health[1:],
            nat_enabled=self._settings.nat_enabled,
            backend=self._driver.backend,
            port=self._driver.port,
            parameters=frozenset(self._driver.parameters.items()),
        )
