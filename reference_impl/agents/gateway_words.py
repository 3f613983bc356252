"""Everything that an active or passive gateway says after a look: its status, conditions, metrics and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.agents.events import ConnectionEvents
from reference_impl.agents.member_conditions import MemberConditions
from reference_impl.agents.metrics import Metrics
from reference_impl.agents.reports import Reporter
from reference_impl.drivers.api import Resource
from reference_impl.planner.status import gateway_status
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.agents.cache import Cache
    from reference_impl.agents.findings import Findings
    from reference_impl.agents.metrics import Counting
    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import API
    from reference_impl.mutants import Mutant
    from reference_impl.planner.membership import Membership
    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.objects import Endpoint


class GatewayWords:
    """The words of one gateway agent. Readers get the same from all of them: they are made from one look."""

    def __init__(self, member: API, clusters: Cache, settings: Settings, counts: Counting, mutant: Mutant) -> None:
        self._metrics = Metrics(counts, alter=mutant.metrics)
        self._reporter = Reporter(member, Resource.GATEWAY, settings.node, settings.namespace, mutant)
        self._conditions = MemberConditions(member, clusters, settings.namespace, mutant)
        self._events = ConnectionEvents(member, settings.node, settings.namespace)

    async def say(
        self, local: Endpoint, membership: Membership | None, peers: tuple[PeerReport, ...], found: Findings
    ) -> None:
        """Say what a gateway is (``local``), and of whom it knows what; ``membership``: None on a passive one."""
        await self._metrics.show(local, peers)
        await self._reporter.report(
            gateway_status(
                version=VERSION,
                active=membership is not None,
                local=local,
                peers=peers,
                refusals=membership.refusals if membership else (),
                failure=found.failure,
                notices=found.notices,
                forgeries=found.forgeries,
            )
        )
        if membership is not None:
            await self._conditions.write(peers, membership.refusals, found)
        await self._events.compare(peers)

    def close(self) -> None:
        """Say nothing more; what was said stays."""
        self._metrics.close()
