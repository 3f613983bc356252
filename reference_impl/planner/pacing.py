"""How often one object is written again: a member that changes all the time keeps no other from its turn. Pure.

What is skipped is not lost: the newest state is written when its time has come, and those in between never are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

BURST = 5
"""Writes of one object that are carried out at once: joining, moving and rotating take a few."""
EVERY = 1.0
"""Seconds after which an object that has used these up may be written once more."""


@dataclass(slots=True)
class Pace:
    """A token bucket for each object. Times are seconds of any monotonic clock."""

    _full_at: dict[Hashable, float] = field(default_factory=dict)
    """When the bucket will be full again; absent while it is."""

    def may(self, key: Hashable, now: float) -> bool:
        """Say whether an object may be written now, and count that as done."""
        full_at = max(self._full_at.get(key, now), now)
        if full_at + EVERY - now > BURST * EVERY:
            return False
        self._full_at[key] = full_at + EVERY
        return True

    def due(self, now: float) -> float | None:
        """Return the seconds until one that may not be written now may be; None if all may. Forgets the quiet ones."""
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        waits = [full_at - now - (BURST - 1) * EVERY for full_at in self._full_at.values()]
        return min((wait for wait in waits if wait > 0), default=None)
