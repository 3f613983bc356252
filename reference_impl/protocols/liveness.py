"""Whether a neighbour on the LAN lives, decided within half a second: a state machine without clock or socket.

As in BFD (RFC 5880, Detect Mult): a neighbour is silent when so many requests in a row went unanswered. Requests are
counted, not seconds: whoever was held up himself has asked nothing meanwhile, and accuses nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessTimings:
    """Times of the watch over neighbours."""

    interval: float = 0.1
    """Seconds between two requests."""
    patience: float = 0.1
    """Seconds for which an answer is awaited: a hundred times what a LAN needs."""
    misses: int = 4
    """Unanswered requests in a row after which a neighbour is silent."""


@dataclass(slots=True)
class Liveness:
    """What requests to one neighbour have shown. Times are seconds of any monotonic clock."""

    timings: LivenessTimings
    _next: float = 0.0
    _sequence: int = 0
    _unanswered: dict[int, float] = field(default_factory=dict)
    """When each request since the last answer was sent, by sequence number."""
    _answered: bool = False

    def next_request(self, now: float) -> int | None:
        """Return the sequence number of a request that is due, or None."""
        if now < self._next:
            return None
        self._next = now + self.timings.interval
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._unanswered[self._sequence] = now
        if len(self._unanswered) > 2 * self.timings.misses:
            del self._unanswered[next(iter(self._unanswered))]
        return self._sequence

    def due(self) -> float:
        """Return the time of the next request."""
        return self._next

    def answered(self, sequence: int) -> None:
        """Take an answer, late ones too: whoever answers lives. One that was not awaited says nothing."""
        if sequence in self._unanswered:
            self._unanswered = {each: at for each, at in self._unanswered.items() if each > sequence}
            self._answered = True

    def is_silent(self, now: float) -> bool:
        """Say whether it answered before, and the last ``misses`` requests that had their time got no answer."""
        return self._answered and self._missed(now) >= self.timings.misses

    def lives(self, now: float) -> bool:
        """Say whether it answered one of the last ``misses`` requests that had their time."""
        return self._answered and self._missed(now) < self.timings.misses

    def _missed(self, now: float) -> int:
        return sum(now - at >= self.timings.patience for at in self._unanswered.values())
