"""Virtual time: what is to happen, in order."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Clock:
    """Calls functions at their times; at one time in the order in which they were asked for."""

    now: float = 0.0
    """Seconds."""
    steps: int = 0
    _waiting: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function so many seconds from now."""
        self._count += 1
        heapq.heappush(self._waiting, (self.now + seconds, self._count, call))

    def run(self, until: float) -> None:
        """Let everything happen that is due until then."""
        while self._waiting and self._waiting[0][0] <= until:
            self.now, _, call = heapq.heappop(self._waiting)
            self.steps += 1
            call()
        self.now = until
