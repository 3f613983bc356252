"""The gateway agent: one per gateway node, one of them active. Cables to the other clusters, news to the broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.agents.cache import Cache
from reference_impl.agents.doubts import Doubts
from reference_impl.agents.exchange import Exchange
from reference_impl.agents.expiry import MemberExpiry
from reference_impl.agents.findings import Findings
from reference_impl.agents.gateway_words import GatewayWords
from reference_impl.agents.handover import Handover
from reference_impl.agents.health import HealthChecker
from reference_impl.agents.heartbeat import Heartbeat
from reference_impl.agents.kernel_hand import KernelHand
from reference_impl.agents.last import Last
from reference_impl.agents.loop import Loop
from reference_impl.agents.publication import Publication
from reference_impl.agents.rotation import Rotation
from reference_impl.agents.succession import Succession
from reference_impl.agents.views import MembershipView, read_nodes
from reference_impl.agents.ways import Ways
from reference_impl.drivers.api import Resource
from reference_impl.drivers.discovery_socket import UDPDiscoverySocket
from reference_impl.drivers.key_file import KeyRing
from reference_impl.names import IPSEC_BACKEND, WIREGUARD_BACKEND
from reference_impl.planner.addresses import host_addresses
from reference_impl.planner.cable import GatewayFacts, carried, plan_cables
from reference_impl.planner.exchange import Side, without
from reference_impl.planner.ipsec import lacking, questions
from reference_impl.planner.isolation import plan_isolated
from reference_impl.planner.lanes import sessions_of
from reference_impl.planner.ownership import CABLE_OWNERSHIP
from reference_impl.planner.relays import Relays, relayed
from reference_impl.protocols.election import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.agents.settings import BrokerAccess, Settings
    from reference_impl.drivers.api import API
    from reference_impl.drivers.discovery_socket import DiscoverySockets
    from reference_impl.drivers.echo import Echo
    from reference_impl.drivers.kernel import Kernel
    from reference_impl.drivers.key_file import Key
    from reference_impl.drivers.service_flows import ServiceFlows
    from reference_impl.mutants import Mutant
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.membership import Membership, Refusal
    from reference_impl.planner.node import Node
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import KernelState, Observed

OWNERSHIP = CABLE_OWNERSHIP
SOON = 0.2
"""Seconds until the next look while a cable works in part: its other parts are being called for."""
PERIOD = 2.0
"""Seconds between two looks without a cause."""
RARELY = 60.0
"""Seconds between two looks at whom we part from, besides those of every exchange."""
AT_ONCE = 0.05
"""Seconds until the next look while packets wait for cables to come up."""
PATIENCE = 2.0
"""Seconds for which a gateway that relieves another one waits for its cables: less than that one goes on forwarding
(``__main__``)."""


class GatewayAgent:
    """Observe, plan, diff, apply, report, for one gateway node."""

    def __init__(  # noqa: PLR0913 - collaborators and settings, all but three by keyword
        self,
        settings: Settings,
        access: BrokerAccess,
        drivers: DriverSet,
        *,
        member: API,
        broker: API,
        kernel: Kernel,
        echo: Echo,
        mutant: Mutant,
        key: Key | None = None,
        sockets: DiscoverySockets = UDPDiscoverySocket,
        sentry: Echo | None = None,
        service_flows: Callable[[], ServiceFlows] | None = None,
    ) -> None:
        """``sentry``: what asks the active gateway's node while this one stands by; without it, Leases alone decide.

        ``service_flows`` opens the kernel's table of flows to Services; without it, none is handed over.
        """
        self._settings = settings
        self._drivers = drivers
        self._key = key
        rotates = not {WIREGUARD_BACKEND, IPSEC_BACKEND}.isdisjoint(settings.drivers)
        self._rotation = Rotation(key, broker, access.namespace) if isinstance(key, KeyRing) and rotates else None
        self._mutant = mutant
        self._hand = KernelHand(kernel, mutant)
        self._members = MembershipView(settings)
        self._plan: Last[object, tuple[KernelState, tuple[Refusal, ...]]] = Last()
        self._parted: frozenset[str] = frozenset()
        self._loop = Loop(self.reconcile, PERIOD)
        self._exchanging = Loop(self._share, PERIOD)
        self._parting = Loop(self._part, RARELY)
        wake = self._loop.wake

        def wake_both() -> None:
            self._loop.wake()
            self._exchanging.wake()

        def wake_all() -> None:
            wake_both()
            self._heartbeat.wake()

        def wake_and_hurry() -> None:
            wake()
            self._candidate.hurry()

        self._ways = Ways(settings, key, sockets, wake, mutant)
        self._health = HealthChecker(echo, wake)
        self._doubts = Doubts(self._hand.counts)
        self._nodes = Cache(member, Resource.NODE, "", wake_and_hurry, mutant.mirror)
        self._succession = Succession(member, settings, self._nodes, sentry, mutant, wake=wake, changed=wake_all)
        self._candidate = self._succession.candidate
        self._handover = (
            Handover(service_flows, settings.cluster.service_cidrs, access.token, mutant) if service_flows else None
        )
        self._objects = {
            kind: Cache(member, kind, settings.namespace, wake_both, mutant.mirror)
            for kind in (Resource.CLUSTER, Resource.ENDPOINT)
        }
        self._words = GatewayWords(member, self._objects[Resource.CLUSTER], settings, self._hand.counts, mutant)
        self._publication = Publication(member, settings, self._objects, self._candidate.confirms, mutant)
        self._heartbeat = Heartbeat(
            settings.cluster.cluster_id,
            settings.node,
            (settings.namespace, access.namespace),
            member=member,
            broker=broker,
            role=lambda: self._candidate.role,
            changed=wake_both,
            confirms=self._candidate.confirms,
        )
        self._expiry = MemberExpiry(self._heartbeat, self._health, mutant)
        self._exchange = Exchange(
            settings, access, {Side.MEMBER: member, Side.BROKER: broker}, self._objects, self._hear, mutant
        )

    async def run(self) -> None:
        """Run until cancelled. The data plane stays as it is: ending an agent is no uninstallation."""
        caches = (self._nodes, self._succession.gateways, *self._objects.values())
        try:
            async with asyncio.TaskGroup() as tasks:
                for cache in caches:
                    tasks.create_task(cache.run())
                tasks.create_task(self._succession.run())
                tasks.create_task(self._exchange.run())
                tasks.create_task(self._heartbeat.run())
                for cache in caches:
                    await cache.synced.wait()
                tasks.create_task(self._health.run())
                self._ways.start(tasks)
                if self._handover is not None:
                    tasks.create_task(self._handover.run())
                tasks.create_task(self._loop.run())
                tasks.create_task(self._parting.run())
                tasks.create_task(self._exchanging.run())
        finally:
            self._words.close()
            self._hand.close()

    def _hear(self) -> None:
        """Ask for a look at what the broker shows: at whom it parts from us besides, for a write may be under way."""
        self._parting.wake()
        self._exchanging.wake()

    async def _part(self) -> None:
        """Have those cut at once from whom policies part this member: what is written about it takes its time."""
        speaks = self._candidate.role is Role.ACTIVE and self._heartbeat.may_speak
        parted = self._exchange.parted(self._expiry.look()) if speaks else frozenset()
        if parted != self._parted:
            self._parted = parted
            self._loop.wake()

    async def _share(self) -> None:
        """Exchange with the broker, in a loop of its own: an API that hangs holds up nothing else."""
        await self._part()
        if self._candidate.role is Role.ACTIVE and self._heartbeat.may_speak:
            await self._exchange.step(self._expiry.look())

    async def reconcile(self) -> None:
        """Make one step: observe, plan, diff, apply, report."""
        role = self._candidate.role
        nodes = read_nodes(self._nodes.items)
        here = next((node for node in nodes if node.name == self._settings.node), None)
        if role is Role.UNKNOWN or here is None:
            return
        if role is Role.ACTIVE:
            await self._rotate()
        observed = await self._hand.observe()
        said = here.gateway.udp_port
        drivers = self._drivers if said is None else self._drivers.at_port(said)
        local = self._ways.own(here, drivers, observed)
        named = self._succession.look(nodes)
        self._hand_over(local, nodes)
        if role is Role.ACTIVE:
            local = replace(local, parameters=local.parameters | named.items())
            await self._lead(local, drivers, nodes, observed)
            return
        self._ways.find(local, (), drivers, observed)
        membership = self._membership(drivers, nodes)
        plan, _ = self._planned(self._facts(local, membership.peers, nodes, observed, stands_by=True), drivers)
        failure = await self._hand.converge(plan, observed)
        self._health.watch((), ())
        await self._report(local, None, Findings(failure=failure, notices=self._notices(here)))

    def _hand_over(self, local: Endpoint, nodes: tuple[Node, ...]) -> None:
        if self._handover is not None:
            inside = (*self._settings.cluster.pod_cidrs, *(ip_network(node.underlay) for node in nodes))
            others = [node.underlay for node in nodes if node.name in self._succession.siblings]
            here = [each for node in nodes if node.name == self._settings.node for each in node.pod_ranges]
            self._handover.look(local.private_ip, others, inside, here, leads=self._candidate.role is Role.ACTIVE)

    def _membership(self, drivers: DriverSet, nodes: tuple[Node, ...]) -> Membership:
        clusters, endpoints = (self._objects[kind].items for kind in (Resource.CLUSTER, Resource.ENDPOINT))
        return self._members.read(drivers, nodes, clusters, without(self._parted, endpoints))[0]

    def _facts(
        self,
        local: Endpoint,
        peers: tuple[Endpoint, ...],
        nodes: tuple[Node, ...],
        observed: Observed,
        *,
        relays: Relays | None = None,
        stands_by: bool = False,
    ) -> GatewayFacts:
        return GatewayFacts(
            own=self._settings.cluster,
            underlay=local.private_ip,
            peers=peers,
            addresses=observed.addresses,
            relays=relays or Relays(),
            stands_by=stands_by,
            sessions=sessions_of(observed),
            connections=frozenset((each.name, each.public_key) for each in observed.state.ike_peers),
            siblings=tuple(node.underlay for node in nodes if node.name in self._succession.siblings),
        )

    def _planned(self, facts: GatewayFacts, drivers: DriverSet) -> tuple[KernelState, tuple[Refusal, ...]]:
        return self._plan.answer(
            (facts, drivers),
            lambda: plan_isolated(facts.peers, lambda some: plan_cables(replace(facts, peers=some), drivers)),
        )

    async def _rotate(self) -> None:
        """Go on with a new key if one is due."""
        own = self._objects[Resource.CLUSTER].get(self._settings.cluster.cluster_id)
        if self._key is not None and self._rotation is not None and await self._rotation.step(own):
            self._drivers = load_drivers(self._settings.drivers, self._key.public)

    async def _lead(self, local: Endpoint, drivers: DriverSet, nodes: tuple[Node, ...], observed: Observed) -> None:
        """Packets first, then words: nothing here waits for the broker."""
        membership = self._membership(drivers, nodes)
        peers, shown = self._ways.find(local, membership.peers, drivers, observed)
        local, relays = self._ways.relays(local, peers, self._health.reports(), drivers, observed)
        facts = self._facts(local, peers, nodes, observed, relays=relays)
        plan, unplanned = self._planned(facts, drivers)
        waits = self._waits(plan, observed)
        if waits:
            plan, _ = self._planned(replace(facts, waits=True), drivers)
            self._loop.wake_in(AT_ONCE)
        membership = replace(membership, refusals=(*membership.refusals, *unplanned))
        failure = await self._hand.converge(plan, self._ways.call_back(peers, shown, drivers, observed))
        carrying = tuple(drivers.chosen(peer) for peer in relayed(shown, relays))
        self._health.watch(carrying, self._settings.cluster.versions)
        here = next(node for node in nodes if node.name == local.hostname)
        own = host_addresses(observed.addresses, self._settings.cluster.pod_cidrs, here.pod_ranges)
        self._health.ask(questions(plan.ike_peers, peers, own), peers)
        if not waits:
            await self._publication.publish(local)
        await self._succession.correct()
        found = Findings(
            failure=failure,
            notices=self._notices(here),
            lacking=lacking(plan.ike_peers, observed.sub_tunnels - self._health.unanswered()),
            mtus=carried(plan, peers, observed.state.links),
            **await self._doubts.look(local, drivers, self._health.reports()),
            impostors=self._ways.impostors,
            forgeries=(*self._exchange.forgeries, *self._heartbeat.conflicts),
            lives=self._heartbeat.lives,
        )
        await self._report(local, membership, found)

    def _waits(self, plan: KernelState, observed: Observed) -> bool:
        """Say whether to wait with what moves packets: the gateway before us still forwards, and we cannot yet."""
        since = self._candidate.relieving_for
        return since is not None and since < PATIENCE and bool(lacking(plan.ike_peers, observed.sub_tunnels))

    async def _report(self, local: Endpoint, membership: Membership | None, found: Findings) -> None:
        peers = found.about(self._health.reports())
        if any(peer.is_whole_again_soon for peer in peers):
            self._loop.wake_in(SOON)
        await self._words.say(local, membership, peers, found)

    def _notices(self, here: Node) -> tuple[str, ...]:
        return (*here.gateway.problems, *self._ways.problems, *filter(None, (self._exchange.problem,)))
