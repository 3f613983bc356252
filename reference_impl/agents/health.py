"""Asks peers for echoes and knows which of them answered lately."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.planner.status import PeerReport
from reference_impl.protocols.health import Health, HealthTimings, PeerHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from reference_impl.drivers.echo import Echo
    from reference_impl.planner.ipsec import Question
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, SubTunnel

_IDLE = 0.5
"""Seconds between two looks while nobody is watched."""


@dataclass(slots=True)
class _Watched:
    endpoint: Endpoint
    version: int
    address: IPAddress | None
    health: PeerHealth
    identifier: int
    shown: Health = Health.CONNECTING
    source: IPAddress | None = None


class HealthChecker:
    """Round trips to every peer, from this node, the way pods' packets go; each IP version for itself."""

    def __init__(self, echo: Echo, changed: Callable[[], None], timings: HealthTimings | None = None) -> None:
        self._echo = echo
        self._changed = changed
        self._timings = timings or HealthTimings()
        self._watched: dict[tuple[str, int], _Watched] = {}
        self._asked: dict[Question, _Watched] = {}
        """Sub-tunnels that no health check goes through."""
        self._identifiers = os.getpid()

    def watch(self, peers: Iterable[Endpoint], versions: Collection[int]) -> None:
        """Watch exactly these peers, in the IP versions that they and we have.

        One whose address stays the same keeps its history.
        """
        kept = self._watched
        self._watched = {}
        for peer, version in ((each, version) for each in peers for version in each.versions if version in versions):
            key, address = (peer.cluster_id, version), peer.health_check(version)
            old = kept.get(key)
            if old is not None and (old.endpoint.private_ip, old.address) == (peer.private_ip, address):
                old.endpoint = peer
                self._watched[key] = old
                continue
            self._watched[key] = self._begin(peer, version, address)

    def ask(self, questions: Iterable[Question], peers: Iterable[Endpoint]) -> None:
        """Ask exactly these questions besides. One that stays the same keeps its history."""
        kept, endpoints = self._asked, {peer.cluster_id: peer for peer in peers}
        self._asked = {}
        for each in questions:
            began = kept.get(each) or self._begin(
                endpoints[each.sub_tunnel.peer], each.destination.version, each.destination
            )
            began.source = each.source
            self._asked[each] = began

    def unanswered(self) -> frozenset[SubTunnel]:
        """Return the sub-tunnels whose questions were answered before, and are no longer."""
        now = _now()
        return frozenset(
            each.sub_tunnel for each, watched in self._asked.items() if watched.health.state(now) is Health.LOST
        )

    def _begin(self, peer: Endpoint, version: int, address: IPAddress | None) -> _Watched:
        self._identifiers = (self._identifiers + 1) & 0xFFFF
        return _Watched(peer, version, address, PeerHealth(self._timings, _now()), self._identifiers)

    @property
    def _all(self) -> Iterable[_Watched]:
        return (*self._watched.values(), *self._asked.values())

    def reports(self) -> tuple[PeerReport, ...]:
        """Return what is known now, by cluster id and IP version."""
        now = _now()
        return tuple(
            PeerReport(
                endpoint=watched.endpoint.of_version(watched.version),
                version=watched.version,
                health=watched.health.state(now),
                silent_for=now
                - (watched.health.since if watched.health.confirmed is None else watched.health.confirmed),
                round_trips=watched.health.round_trips,
            )
            for _, watched in sorted(self._watched.items())
        )

    async def run(self) -> None:
        """Send, listen and compare until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._echo.fileno(), self._receive)
        try:
            while True:
                self._send()
                self._compare()
                due = min((w.health.due() for w in self._all if w.address), default=None)
                await asyncio.sleep(_IDLE if due is None else max(0.01, min(_IDLE, due - _now())))
        finally:
            loop.remove_reader(self._echo.fileno())

    def _send(self) -> None:
        for watched in self._all:
            address = watched.address
            sequence = watched.health.next_request(_now()) if address is not None else None
            if address is not None and sequence is not None:
                self._echo.send(address, watched.identifier, sequence, watched.source)

    def _receive(self) -> None:
        now = _now()
        asked = {watched.identifier: watched for watched in self._all}
        while (reply := self._echo.receive()) is not None:
            watched = asked.get(reply.identifier)
            if watched is not None:
                watched.health.answered(reply.sequence, now)
        self._compare()

    def _compare(self) -> None:
        now = _now()
        changed = False
        for watched in self._all:
            state = watched.health.state(now)
            changed |= state is not watched.shown
            watched.shown = state
        if changed:
            self._changed()


def _now() -> float:
    return asyncio.get_running_loop().time()
