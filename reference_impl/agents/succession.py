"""Which of a cluster's gateways leads, and who may follow it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.agents.cache import Cache
from reference_impl.agents.candidate import Candidate
from reference_impl.agents.sentry import Sentry
from reference_impl.agents.views import read_local_endpoints, read_nodes
from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.planner.lingering import Lingering
from reference_impl.planner.standbys import standby_parameter
from reference_impl.protocols.election import ElectionTimings, Ground, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import API
    from reference_impl.drivers.echo import Echo
    from reference_impl.mutants import Mutant
    from reference_impl.planner.node import Node


class Succession:
    """One gateway agent's part: it runs for the Lease, and watches the node of whoever holds it."""

    def __init__(
        self,
        api: API,
        settings: Settings,
        nodes: Cache,
        echo: Echo | None,
        mutant: Mutant,
        *,
        wake: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """``echo``: what asks nodes, None: Leases alone decide; ``changed`` is called when our role changes."""
        self._api = api
        self._node, self._namespace = settings.node, settings.namespace
        self._nodes = nodes
        self._mutant = mutant
        self._lingering = Lingering()
        self.siblings: frozenset[str] = frozenset()
        """The other gateway nodes, and those that were gateway nodes until lately, by name."""
        self.gateways = Cache(api, Resource.GATEWAY, settings.namespace, self._hear, mutant.mirror)
        """What the cluster's gateway agents say of themselves."""
        self._wake = wake
        self._heard: object = None
        timings = mutant.election(ElectionTimings())
        self.candidate = Candidate(api, settings.node, settings.namespace, changed, self._ground, timings)
        self._sentry = Sentry(echo, self.candidate.hurry) if echo is not None else None

    async def run(self) -> None:
        """Run for the Lease and watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.candidate.run())
            if self._sentry is not None:
                tasks.create_task(self._sentry.run())

    def look(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """Watch whom there is to watch; return how an active gateway's Endpoint names those who may follow it."""
        gateways = (node.name for node in nodes if node.is_gateway and node.name != self._node)
        self.siblings = self._lingering.of(gateways, asyncio.get_running_loop().time())
        if self._sentry is not None:
            active = next((node for node in nodes if node.name == self.candidate.holder), None)
            if self.candidate.role is Role.ACTIVE or active is None:
                self._sentry.watch(None, ())
            else:
                others = [node.underlay for node in nodes if node.name not in {active.name, self._node}]
                self._sentry.watch(active.underlay, others)
        return standby_parameter(read_local_endpoints(self.gateways.items, self.siblings))

    def _hear(self) -> None:
        """Wake whom it concerns: that another gateway lives on does not, and what we said ourselves does not either."""
        statuses = {str(obj["metadata"]["name"]): obj.get("status") or {} for obj in self.gateways.items}
        heard = {
            name: (status.get("haStatus"), status.get("localEndpoint"))
            for name, status in statuses.items()
            if name != self._node
        }
        if heard != self._heard:
            self._heard = heard
            self._wake()

    async def correct(self) -> None:
        """As the active gateway, put right what the agents of others said last and cannot take back any more.

        One that died still says that it is active; one whose node is no gateway node has nothing to say.
        """
        for obj in self.gateways.items:
            name = str(obj["metadata"]["name"])
            if name == self._node:
                continue
            with suppress(NotFoundError):
                if name not in self.siblings:
                    await self._api.delete(Resource.GATEWAY, name, self._namespace)
                elif (obj.get("status") or {}).get("haStatus") == "active":
                    said = {"status": {"haStatus": "passive", "connections": []}}
                    await self._api.merge(Resource.GATEWAY, name, self._namespace, said)

    def _ground(self, holder: str) -> Ground:
        dead = self._sentry is not None and self._sentry.finds_it_dead
        return self._mutant.ground(ground(self._node, holder, read_nodes(self._nodes.items), dead=dead))


def ground(identity: str, holder: str, nodes: Sequence[Node], *, dead: bool) -> Ground:
    """Return on what ground the Lease of another gateway may be taken before its time. Pure.

    A node that is no gateway any more, or is being drained, is left as soon as another one may lead: that one is ready,
    and the old one goes on forwarding, so nothing breaks. One that died gives no such sign.
    """
    known = {node.name: node for node in nodes}
    here, there = known.get(identity), known.get(holder)
    if here is None or not here.may_lead:
        return Ground.NONE
    if there is None or not there.may_lead:
        return Ground.LEFT
    return Ground.SILENT if dead else Ground.NONE
