"""How badly APIs and networks behave, and when: chances by the call, and breakdowns with a begin and an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_impl.simulation.server import RefusedError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from reference_impl.simulation.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Shares of calls and of events, each by itself."""

    refused: float = 0.0
    """Of requests: 409, 429 or 5xx, and nothing was done."""
    unanswered: float = 0.0
    """Of writes: done, and the answer is lost."""
    stale: float = 0.0
    """Of lists: some changes ago."""
    lost: float = 0.0
    """Of events."""
    doubled: float = 0.0
    late: float = 0.0
    """Of events: seconds late, each by its own time, so that they overtake one another."""
    silent: float = 0.0
    """Of watches: they never say anything, and nobody is told."""
    broken: float = 0.0
    """Of events: the watch ends in 410 in place of it."""
    killed: float = 0.0
    """Of writes: the agent dies right after it."""


CALM = Chances()


@dataclass(slots=True)
class Weather:
    """What befalls each call, by one generator for the whole run."""

    clock: Clock
    random: random.Random
    chances: Chances
    until: float
    """When it is calm again."""
    cut: set[str] = field(default_factory=set)
    """Members that cannot reach the broker."""

    @property
    def now(self) -> Chances:
        """Return the chances at this moment."""
        return self.chances if self.clock.now < self.until else CALM

    def happens(self, share: float) -> bool:
        """Throw the dice, only where it matters."""
        return share > 0 and self.random.random() < share

    def request(self, reached: bool = True) -> None:  # noqa: FBT001, FBT002 - the answer to one question
        """Refuse a request, perhaps, or surely if the server cannot be reached."""
        if not reached:
            raise RefusedError(0)
        if self.happens(self.now.refused):
            raise RefusedError(self.random.choice((409, 429, 500, 503, 0)))

    def deliver(self, call: Callable[[], None]) -> None:
        """Let an event arrive, if it does."""
        chances = self.now
        if self.happens(chances.lost):
            return
        for _ in range(1 + self.happens(chances.doubled)):
            late = self.random.uniform(0.1, 5.0) if self.happens(chances.late) else 0.0
            self.clock.after(0.01 + late, call)
