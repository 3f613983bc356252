"""Relaying on a gateway node: keeps what is known of direct ways, publishes it, and reads off who relays whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.planner.relays import Reach, Relays, plan_relays
from reference_impl.protocols.health import Health
from reference_impl.protocols.reach import Directly, DirectReach, ReachTimings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.objects import Endpoint


class Relaying:
    """One member's part in relaying."""

    def __init__(self, timings: ReachTimings | None = None) -> None:
        self._timings = timings or ReachTimings()
        self._peers: dict[str, DirectReach] = {}
        self._via: Collection[str] = ()

    def look(
        self,
        peers: Iterable[Endpoint],
        reports: Iterable[PeerReport],
        *,
        answered: Collection[str],
        heard: Collection[str],
    ) -> Reach:
        """Take what health checks, discovery and tunnels show of these peers, and return whom we reach.

        ``answered``, ``heard``: cluster ids. A round trip that went through a relay says nothing of the direct way.
        """
        now = asyncio.get_running_loop().time()
        names = [peer.cluster_id for peer in peers]
        connected = {each.endpoint.cluster_id for each in reports if each.health is Health.CONNECTED}
        self._peers = {name: self._peers.get(name) or DirectReach(self._timings, now) for name in names}
        states = {
            name: self._peers[name].look(
                now,
                confirmed=name in connected and name not in self._via,
                answers=name in answered,
                heard=name in heard,
            )
            for name in names
        }
        return Reach(
            reached=frozenset(name for name, state in states.items() if state is Directly.REACHED),
            unreached=frozenset(name for name, state in states.items() if state is Directly.UNREACHED),
        )

    def plan(self, own: Endpoint, peers: Sequence[Endpoint]) -> Relays:
        """Return who relays whom, and remember whose round trips are no proof of a direct way."""
        relays = plan_relays(own, peers)
        self._via = frozenset(relays.via)
        return relays
