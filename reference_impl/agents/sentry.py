"""A gateway that stands by watches the active one's node from its own, over the LAN that both are on."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from reference_impl.protocols.liveness import Liveness, LivenessTimings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reference_impl.drivers.echo import Echo
    from reference_impl.state import IPAddress

_LOG = logging.getLogger(__name__)
WITNESSES = 3
"""Other nodes that are asked as well: where none of them answers either, it is we who are cut off."""
_IDLE = 0.5
"""Seconds between two looks at most: who is watched may change."""


class Sentry:
    """Asks the active gateway's node ten times a second, and a few others, to tell its silence from our own."""

    def __init__(self, echo: Echo, changed: Callable[[], None], timings: LivenessTimings | None = None) -> None:
        self._echo = echo
        self._changed = changed
        self._timings = timings or LivenessTimings()
        self._watched: IPAddress | None = None
        self._neighbours: dict[IPAddress, Liveness] = {}
        self._identifier = os.getpid() & 0xFFFF
        self._alarmed = False
        self._watches = asyncio.Event()

    def watch(self, active: IPAddress | None, others: Sequence[IPAddress]) -> None:
        """Watch this node, with these as witnesses; None: nobody. What is asked already keeps its history."""
        self._watched = active
        wanted = (active, *others[:WITNESSES]) if active is not None else ()
        known = self._neighbours
        self._neighbours = {each: known.get(each) or Liveness(self._timings) for each in wanted}
        if self._neighbours:
            self._watches.set()
        else:
            self._watches.clear()

    @property
    def finds_it_dead(self) -> bool:
        """Say whether the active gateway's node has fallen silent, and not because we are cut off.

        A cluster of two nodes has no witness: there the API is one, since without it no Lease is taken.
        """
        now = _now()
        watched = self._neighbours.get(self._watched) if self._watched is not None else None
        if watched is None or not watched.is_silent(now):
            return False
        witnesses = [each for address, each in self._neighbours.items() if address != self._watched]
        return not witnesses or any(each.lives(now) for each in witnesses)

    async def run(self) -> None:
        """Ask and listen until cancelled."""
        while True:
            self._compare()
            await self._watches.wait()
            await self._listen()

    async def _listen(self) -> None:
        """Ask and listen while somebody is watched.

        Every answer that comes to this node reaches this socket, those to health checks as well: where nobody is
        watched, none of them is to wake us.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(self._echo.fileno(), self._receive)
        try:
            while self._neighbours:
                self._ask()
                self._compare()
                due = min(each.due() for each in self._neighbours.values())
                await asyncio.sleep(max(0.01, min(_IDLE, due - _now())))
        finally:
            loop.remove_reader(self._echo.fileno())

    def _ask(self) -> None:
        for number, (address, neighbour) in enumerate(self._neighbours.items()):
            sequence = neighbour.next_request(_now())
            if sequence is not None:
                self._echo.send(address, (self._identifier + number) & 0xFFFF, sequence)

    def _receive(self) -> None:
        asked = {(self._identifier + number) & 0xFFFF: each for number, each in enumerate(self._neighbours.values())}
        while (reply := self._echo.receive()) is not None:
            if reply.identifier in asked:
                asked[reply.identifier].answered(reply.sequence)

    def _compare(self) -> None:
        dead = self.finds_it_dead
        if dead != self._alarmed:
            self._alarmed = dead
            if dead:
                _LOG.warning("the active gateway's node at %s does not answer; others do", self._watched)
                self._changed()


def _now() -> float:
    return asyncio.get_running_loop().time()
