"""When a container is started again. Pure.

As of the kubelet: the first restart is at once, the next waits ``first`` seconds, then twice as long each time up to
``longest``. A longest delay below the first is the first as well (KEP-4603). A run of ten minutes forgives what was
before, however the delays are set.
"""

from __future__ import annotations

from dataclasses import dataclass

FORGIVEN_AFTER = 600.0
"""Seconds that a container must have run for its next restart to be at once again."""


def should_restart(policy: str, exit_code: int) -> bool:
    """Apply ``restartPolicy``."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


@dataclass(slots=True)
class BackOff:
    """The delays of one container, or of one image's pulls."""

    first: float
    longest: float
    _next: float = 0.0

    def after(self, ran_for: float = 0.0) -> float:
        """Return the seconds to wait after a run of ``ran_for`` seconds."""
        if ran_for > FORGIVEN_AFTER:
            self._next = 0.0
        delay = self._next
        self._next = min(self.longest, max(self.first, 2 * delay))
        return delay


def spoken(seconds: float) -> str:
    """Spell a delay as Go does: ``10s``, ``2m40s``."""
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:g}s"
    return f"{minutes:.0f}m{text}" if minutes else text
