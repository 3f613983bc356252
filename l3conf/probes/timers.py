"""Calls that an engine makes at a time."""

from __future__ import annotations

import heapq
import itertools
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Timers:
    """What is to be called when; by ``time.monotonic``."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call once ``seconds`` have passed, in some step of the engine after that."""
        heapq.heappush(self._calls, (time.monotonic() + seconds, next(self._numbers), call))

    def next_due(self) -> float | None:
        """Return when the next call is due."""
        return self._calls[0][0] if self._calls else None

    def run_due(self) -> None:
        """Make the calls that are due."""
        while self._calls and self._calls[0][0] <= time.monotonic():
            heapq.heappop(self._calls)[2]()
