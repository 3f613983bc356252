"""How others reach this gateway, and how it reaches them: its addresses, theirs, and who forwards where none works."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.agents.discovery import Discovery
from reference_impl.agents.public_address import PublicAddressWatch
from reference_impl.agents.relaying import Relaying
from reference_impl.names import WIREGUARD_BACKEND
from reference_impl.planner.addresses import host_addresses
from reference_impl.planner.own_endpoint import known_addresses, own_endpoint
from reference_impl.planner.relays import Relays
from reference_impl.planner.strays import Strays, called_back
from reference_impl.planner.ways import actual
from reference_impl.protocols.objects import Endpoint, discovery_port

if TYPE_CHECKING:
    from asyncio import TaskGroup
    from collections.abc import Callable, Mapping

    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.discovery_socket import DiscoverySockets
    from reference_impl.drivers.key_file import Key
    from reference_impl.mutants import Mutant
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.node import Node
    from reference_impl.planner.status import PeerReport
    from reference_impl.state import Observed


class Ways:
    """One gateway agent's part. Never waits: what is found out later wakes the agent."""

    def __init__(
        self, settings: Settings, key: Key | None, sockets: DiscoverySockets, wake: Callable[[], None], mutant: Mutant
    ) -> None:
        """``key``: what peers know this gateway by; without one nothing is asked, since no answer could be proved."""
        self._settings = settings
        self._mutant = mutant
        self._discovery = Discovery(key, wake, sockets=sockets) if key is not None else None
        self._strays = Strays()
        self._public = PublicAddressWatch(wake)
        self._relaying = Relaying() if settings.relay and settings.drivers == (WIREGUARD_BACKEND,) else None

    def start(self, tasks: TaskGroup) -> None:
        """Look addresses up, ask and answer until the tasks are cancelled."""
        tasks.create_task(self._public.run())
        if self._discovery is not None:
            tasks.create_task(self._discovery.run())

    @property
    def problems(self) -> tuple[str, ...]:
        """Why an address is not known or not found; nothing if all is well."""
        return tuple(
            filter(None, (self._public.problem, self._discovery.problem if self._discovery is not None else ""))
        )

    @property
    def impostors(self) -> Mapping[str, str]:
        """By cluster id: how it is known that whoever answers for a peer does not have its key."""
        return self._discovery.impostors if self._discovery is not None else {}

    def own(self, here: Node, drivers: DriverSet, observed: Observed) -> Endpoint:
        """Return this gateway as others are to know it."""
        cluster = self._settings.cluster
        return own_endpoint(
            cluster,
            here,
            drivers,
            health_checks=known_addresses(
                cluster, host_addresses(observed.addresses, cluster.pod_cidrs, here.pod_ranges)
            ),
            public_ip=self._public.want(here.gateway.public_ip, here.underlay.version),
            behind_nat=self._settings.nat_enabled,
            discovers=self._discovery is not None,
        )

    def find(
        self, local: Endpoint, peers: tuple[Endpoint, ...], drivers: DriverSet, observed: Observed
    ) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
        """Return peers with the ways to plan for, and as the kernel really sends to them."""
        if self._discovery is None:
            return peers, peers
        own = self._settings.cluster.used
        self._discovery.watch(own, (local.private_ip, discovery_port(local)), peers, drivers.identity)
        found = self._mutant.ways(self._discovery.located(peers), self._discovery.claimed)
        places = {key: (address, port) for key, address, port in observed.located}
        learnt = {each.cluster_id: places[key] for each in peers if (key := drivers.identity(each)) in places}
        return found, actual(found, learnt)

    def call_back(
        self, found: tuple[Endpoint, ...], shown: tuple[Endpoint, ...], drivers: DriverSet, observed: Observed
    ) -> Observed:
        """Return what was observed without what was learnt of peers that strayed from the way that was found."""
        if self._discovery is None:
            return observed
        now = asyncio.get_running_loop().time()
        due = self._strays.due(found, shown, self._discovery.answered, now)
        return called_back(observed, frozenset(drivers.identity(each) for each in found if each.cluster_id in due))

    def relays(
        self,
        local: Endpoint,
        peers: tuple[Endpoint, ...],
        reports: tuple[PeerReport, ...],
        drivers: DriverSet,
        observed: Observed,
    ) -> tuple[Endpoint, Relays]:
        """Return our Endpoint with what it says of our reach, and who is relayed by whom."""
        if self._relaying is None:
            return local, Relays()
        answered = self._discovery.answering if self._discovery is not None else frozenset()
        heard = {peer.cluster_id for peer in peers if drivers.identity(peer) in observed.roaming}
        reach = self._relaying.look(peers, reports, answered=answered, heard=heard)
        local = replace(local, parameters=local.parameters | reach.parameters.items())
        return local, self._relaying.plan(local, peers)
