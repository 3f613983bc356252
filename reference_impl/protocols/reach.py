"""Whether a peer can be reached directly: a state machine without clock, one per peer.

Good news counts at once, bad news after a while: relaying changes routes at three members, so it must neither flicker
nor begin while a tunnel is merely slow to form.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Directly(enum.Enum):
    """What is known of the direct way."""

    UNDECIDED = "undecided"
    REACHED = "reached"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachTimings:
    """Times in seconds."""

    forming: float = 5.0
    """Without any sign of the direct way for this long since it was first tried, there is none."""
    lost: float = 20.0
    """The same since it last worked; longer than discovery's answers count, so that an old one brings nothing back."""


@dataclass(slots=True)
class DirectReach:
    """What was seen of the direct way to one peer. Times are seconds of any monotonic clock."""

    timings: ReachTimings
    since: float
    """When it was first tried, or last showed a sign of life."""
    worked: bool = False
    """Whether a round trip by it was ever confirmed."""
    state: Directly = Directly.UNDECIDED

    def look(self, now: float, *, confirmed: bool, answers: bool, heard: bool) -> Directly:
        """Take what is known now.

        ``confirmed``: a round trip through the direct tunnel; ``answers``: discovery is answered; ``heard``: the tunnel
        has a session with the peer itself. Sessions outlive their paths for minutes, so one counts only before the
        first round trip.
        """
        if confirmed:
            self.worked, self.since, self.state = True, now, Directly.REACHED
        elif answers or (heard and not self.worked):
            self.since = now
            if self.state is Directly.UNREACHED:
                self.state = Directly.UNDECIDED
        elif now - self.since >= (self.timings.lost if self.worked else self.timings.forming):
            self.state = Directly.UNREACHED
        return self.state
