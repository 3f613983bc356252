"""Looks closer at peers that do not answer: what of theirs still arrives, and what may be in the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypedDict

from reference_impl.meter_script import STRANGERS, counter_name
from reference_impl.planner.arrivals import Arrivals
from reference_impl.planner.obstacles import find_obstacle
from reference_impl.protocols.health import Health
from reference_impl.state import Flow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.obstacles import Obstacle
    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import Count


QUIET = 2.0
"""Seconds of silence before anything is looked up: a cable that is just being laid must not wait for counters."""


class Doubted(TypedDict):
    """What was found, by cluster id (fields of ``CableFindings``)."""

    arriving: Mapping[str, bool]
    obstacles: Mapping[str, Obstacle]


class Doubts:
    """Reads counters only while somebody does not answer."""

    def __init__(self, count: Callable[[], Awaitable[Mapping[str, Count]]]) -> None:
        self._count = count
        self._arrivals = Arrivals()

    async def look(self, own: Endpoint, drivers: DriverSet, peers: Sequence[PeerReport]) -> Doubted:
        """Return what can be said of the peers that do not answer now."""
        silent = {
            peer.endpoint.cluster_id: peer
            for peer in peers
            if peer.health is not Health.CONNECTED and peer.silent_for >= QUIET
        }
        if not silent:
            return Doubted(arriving={}, obstacles={})
        now = asyncio.get_running_loop().time()
        if self._arrivals.due(now):
            self._arrivals.saw(await self._count(), now)
        arriving = {
            cluster: found
            for cluster in silent
            if (found := self._arrivals.arriving(counter_name(cluster, Flow.RECEIVED), now)) is not None
        }
        strangers = self._arrivals.arriving(STRANGERS, now) is True
        obstacles = {}
        for cluster, peer in silent.items():
            crosses = drivers.crosses_nat(peer.endpoint)
            obstacle = find_obstacle(
                own, peer.endpoint, peer.health, peer.silent_for, crosses_nat=crosses, strangers=strangers
            )
            if obstacle is not None:
                obstacles[cluster] = obstacle
        return Doubted(arriving=arriving, obstacles=obstacles)
