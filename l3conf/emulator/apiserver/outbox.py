"""Events of one watch between the change and the wire, where faults hold them back. Pure: times are the caller's."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.disturbances import WatchFate
    from l3conf.emulator.apiserver.watching import Seen


@dataclass(slots=True)
class Outbox:
    """Gives events out in order, unless a fate says otherwise. An event that is held back holds back later ones."""

    _waiting: list[tuple[float, int, int, Seen]] = field(default_factory=list)
    """When it is due, its place among those of that time, and its number, which makes the order total."""
    _count: int = 0
    _window: float = 0.0
    """When the collection that is open ends."""
    _last: float = 0.0
    """When the last of what waits is due: nothing overtakes it."""

    def take(self, events: Iterable[Seen], fate: WatchFate, now: float) -> None:
        """Take events that have just happened."""
        for event in events:
            due, place = max(now + fate.late, self._last), 0
            if fate.collected:
                if now >= self._window:
                    self._window = max(now + fate.collected, self._last)
                due = self._window
            for _ in range(fate.copies()):
                self._count += 1
                place = -self._count if fate.collected else self._count
                heapq.heappush(self._waiting, (due, place, self._count, event))
            self._last = due

    def give(self, now: float) -> list[Seen]:
        """Return what is due, in the order in which it is to be sent."""
        given = []
        while self._waiting and self._waiting[0][0] <= now:
            given.append(heapq.heappop(self._waiting)[3])
        return given

    @property
    def next_due(self) -> float | None:
        """When the next event is due; None if none waits."""
        return self._waiting[0][0] if self._waiting else None
