"""When a container is started again. Pure.

As of the kubelet: the first restart is at once, the next waits ``first`` seconds, then twice as long each time
up to ``longest``; a run of twice ``longest`` forgives what was before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.emulator.node.context import BackOffTimes


def should_restart(policy: str, exit_code: int) -> bool:
    """Apply ``restartPolicy``."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


@dataclass(slots=True)
class BackOff:
    """The delays of one container, or of one image's pulls."""

    times: BackOffTimes
    _next: float = 0.0

    def after(self, ran_for: float = 0.0) -> float:
        """Return the seconds to wait after a run of ``ran_for`` seconds."""
        if ran_for > 2 * self.times.longest:
            self._next = 0.0
        delay = self._next
        self._next = min(self.times.longest, max(self.times.first, 2 * delay))
        return delay


def spoken(seconds: float) -> str:
    """Spell a delay as Go does: ``10s``, ``2m40s``."""
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:g}s"
    return f"{minutes:.0f}m{text}" if minutes else text
