"""Gateway nodes that were relieved go on forwarding for a while: peers need a moment to send elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINGER = 10.0
"""Seconds for which a node that is no gateway node any more is treated as one: the time that a change takes to reach
every member, ten times over."""
RELIEF = 5.0
"""Seconds after which such a node lets go of its cables. Less than ``LINGER``: peers take its packets until then."""


@dataclass(slots=True)
class Lingering:
    """Who is a gateway node, or was one lately. Times are seconds of any monotonic clock."""

    seconds: float = LINGER
    _seen: dict[str, float] = field(default_factory=dict)

    def of(self, present: Iterable[str], now: float) -> frozenset[str]:
        """Take who is there now; return these and those who were there lately."""
        self._seen = {name: at for name, at in self._seen.items() if now - at < self.seconds}
        self._seen |= dict.fromkeys(present, now)
        return frozenset(self._seen)
