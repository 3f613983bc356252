"""Health of one peer from echo round trips: a state machine without clock or socket.

Connected means that a round trip was confirmed a moment ago; an answer proves both directions at once, so the
loss of either one shows here after ``silence`` seconds.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

_STEPS = 64
"""Requests after which no growth is small enough to matter."""


class Health(enum.Enum):
    """What is known about a peer."""

    CONNECTING = "connecting"
    """No round trip yet."""
    CONNECTED = "connected"
    """The last round trip is younger than ``silence``."""
    LOST = "error"
    """There were round trips, and they stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTimings:
    """Times of the health check, in seconds."""

    interval: float = 0.65
    """Between requests to a peer."""
    first_interval: float = 0.1
    """The same at first: a new cable should be seen to work at once."""
    growth: float = 1.5
    """By which factor it grows with each request that is not answered: who is still on the way, or dead, is asked some
    ten times in five seconds. Among twenty that arrive together, asking faster takes a second of every agent's CPU."""
    slack: float = 0.1
    """How much earlier a request may leave, so that those to many peers leave, and are answered, together."""
    silence: float = 2.0
    """Without an answer for this long a peer is lost: three requests, so that one lost packet is no alarm."""


@dataclass(slots=True)
class RoundTrips:
    """Running statistics of round-trip times in seconds (Welford's method)."""

    count: int = 0
    last: float = 0.0
    minimum: float = math.inf
    maximum: float = 0.0
    average: float = 0.0
    _squares: float = 0.0

    def add(self, rtt: float) -> None:
        """Count one round trip."""
        self.count += 1
        self.last = rtt
        self.minimum = min(self.minimum, rtt)
        self.maximum = max(self.maximum, rtt)
        step = rtt - self.average
        self.average += step / self.count
        self._squares += step * (rtt - self.average)

    @property
    def deviation(self) -> float:
        """Return the standard deviation of all round trips."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0


@dataclass(slots=True)
class PeerHealth:
    """What echo requests to one address have shown. Times are seconds of any monotonic clock."""

    timings: HealthTimings
    since: float
    """When watching began."""
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    confirmed: float | None = None
    """When the last answer came."""
    _next: float = 0.0
    _sequence: int = 0
    _unanswered: int = 0
    """Requests before the first answer."""
    _pending: dict[int, float] = field(default_factory=dict)

    def next_request(self, now: float) -> int | None:
        """Return the sequence number of a request that is due now, or nearly so, or None."""
        wait = self._wait()
        if now < self._next - (self.timings.slack if wait == self.timings.interval else 0.0):
            return None
        self._next = now + wait
        self._unanswered += 1
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._pending = {seq: sent for seq, sent in self._pending.items() if now - sent < self.timings.silence}
        self._pending[self._sequence] = now
        return self._sequence

    def _wait(self) -> float:
        """Return the seconds between the next request and the one after it."""
        if self.confirmed is not None or self._unanswered > _STEPS:
            return self.timings.interval
        return min(self.timings.first_interval * self.timings.growth**self._unanswered, self.timings.interval)

    def due(self) -> float:
        """Return the time of the next request."""
        return self._next

    def answered(self, sequence: int, now: float) -> bool:
        """Take an answer; False if that request is not (or no longer) waited for, so it proves nothing new."""
        sent = self._pending.pop(sequence, None)
        if sent is None:
            return False
        self.confirmed = now
        self.round_trips.add(now - sent)
        return True

    def state(self, now: float) -> Health:
        """Return what may be said about the peer now."""
        if self.confirmed is None:
            return Health.CONNECTING
        return Health.CONNECTED if now - self.confirmed < self.timings.silence else Health.LOST
