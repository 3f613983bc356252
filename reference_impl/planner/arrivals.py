"""What still arrives while round trips fail: it tells a path that is lost from one that is lost in one direction. Pure.

A peer asks for echoes twice a second, so whoever hears nothing of it for seconds is not reached by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.state import Count

PAUSE = 1.0
"""Seconds between two readings: counters cost a process."""
WINDOW = 5.0
"""Seconds for which what has arrived counts as arriving."""


@dataclass(slots=True)
class Arrivals:
    """Counters at moments of any monotonic clock, in seconds."""

    _last: dict[str, int] = field(default_factory=dict)
    _grew: dict[str, float] = field(default_factory=dict)
    _first: dict[str, float] = field(default_factory=dict)
    _read: float | None = None

    def due(self, now: float) -> bool:
        """Say whether the counters should be read again."""
        return self._read is None or now - self._read >= PAUSE

    def saw(self, counts: Mapping[str, Count], now: float) -> None:
        """Take a reading. A counter that began anew has counted what it shows."""
        for name, count in counts.items():
            before = self._last.get(name)
            if before is None:
                self._first[name] = now
            elif count.packets > before or 0 < count.packets < before:
                self._grew[name] = now
            self._last[name] = count.packets
        self._read = now

    def arriving(self, name: str, now: float) -> bool | None:
        """Say whether a counter has grown lately; None while that cannot be known yet."""
        if now - self._grew.get(name, -WINDOW) < WINDOW and name in self._grew:
            return True
        since = self._first.get(name)
        return None if since is None or now - since < WINDOW else False
