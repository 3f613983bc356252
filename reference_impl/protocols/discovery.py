"""Where a peer can be reached: a state machine without clock, randomness or socket. One per peer.

Every address at which a peer may be is asked, over and over; the best one that answers is used. Two rules keep this
from doing harm. Nothing waits for it: until an answer comes, what was in use before stays in use, or what the Endpoint
says by itself. And silence alone moves nothing: an address is left only for one that answers.

A reply counts if it is awaited: its nonce is that of a request not yet answered or given up, and it comes from the
very address and port that the request went to. A recorded reply is therefore worth nothing, and so is one from
elsewhere. That its sender knows the pair's secret is checked before it gets here (``discovery_messages``).

A reply that would count but for that proof says something too: nobody knows the nonce who is not at the address that
was asked, or on the way there. So whoever answers there does not have the peer's secret (``impostor``). It moves
nothing, and a proved reply is the end of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reference_impl.state import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryTimings:
    """Times of discovery, in seconds."""

    eager_interval: float = 0.3
    """Between two requests to an address, while nothing has answered and little time has passed."""
    eager: float = 6.0
    """For how long that is so."""
    interval: float = 5.0
    """The same later; well below the 30 s after which NATs forget, so that requests keep their own mapping open."""
    patience: float = 3.0
    """For how long a reply is awaited."""
    lifetime: float = 16.0
    """For how long an answer makes an address usable: three requests may get lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An address at which a peer may be."""

    address: IPAddress
    port: int
    """Of discovery."""
    tunnel_port: int
    public: bool
    """Whether it is the peer's public address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Which candidate to use, and on what grounds."""

    candidate: Candidate | None
    """None: nothing is better than what the Endpoint says."""
    answered: bool
    """Whether it answered lately."""


@dataclass(frozen=True, slots=True)
class _Request:
    candidate: Candidate
    sent: float


@dataclass(slots=True)
class PeerDiscovery:
    """What requests to one peer have shown. Times are seconds of any monotonic clock."""

    timings: DiscoveryTimings
    since: float
    """When looking began."""
    candidates: tuple[Candidate, ...] = ()
    """The best first."""
    seen: tuple[IPAddress, int] | None = None
    """Where the peer sees us, as its last reply said."""
    _chosen: Candidate | None = None
    _answers: dict[Candidate, float] = field(default_factory=dict)
    _due: dict[Candidate, float] = field(default_factory=dict)
    _awaited: dict[bytes, _Request] = field(default_factory=dict)
    _unproved: dict[Candidate, float] = field(default_factory=dict)

    def update(self, candidates: Sequence[Candidate], now: float) -> None:
        """Take the candidates as they are now. One that is still among them keeps its history."""
        if tuple(candidates) == self.candidates:
            return
        self.candidates = tuple(candidates)
        self.since = now
        self._answers = {each: at for each, at in self._answers.items() if each in candidates}
        self._due = {each: self._due.get(each, now) for each in candidates}
        self._awaited = {nonce: each for nonce, each in self._awaited.items() if each.candidate in candidates}
        self._unproved = {each: at for each, at in self._unproved.items() if each in candidates}
        if self._chosen not in candidates:
            self._chosen = None

    def requests(self, now: float, nonce: Callable[[], bytes]) -> list[tuple[Candidate, bytes]]:
        """Return what to ask now: candidates with the nonce of their request."""
        self._awaited = {
            each: request for each, request in self._awaited.items() if now - request.sent < self.timings.patience
        }
        due = [each for each in self.candidates if self._due.get(each, now) <= now]
        asked = [(each, nonce()) for each in due]
        pause = self._pause(now)
        for candidate, number in asked:
            self._due[candidate] = now + pause
            self._awaited[number] = _Request(candidate, now)
        return asked

    def due(self) -> float | None:
        """Return the time of the next request; None if there is nobody to ask."""
        return min((self._due[each] for each in self.candidates), default=None)

    def replied(
        self, nonce: bytes, source: tuple[IPAddress, int], seen: tuple[IPAddress, int] | None, now: float
    ) -> bool:
        """Take a reply whose proof is right; False if it was not awaited, so it says nothing."""
        candidate = self._asked(nonce, source, now)
        if candidate is None:
            return False
        del self._awaited[nonce]
        self._answers[candidate] = now
        self._unproved.clear()
        self.seen = seen
        return True

    def replied_unproved(self, nonce: bytes, source: tuple[IPAddress, int], now: float) -> bool:
        """Take a reply whose proof is wrong; False if it was not awaited, so it says nothing.

        The request stays open: a proved answer to it counts all the same.
        """
        candidate = self._asked(nonce, source, now)
        if candidate is not None:
            self._unproved[candidate] = now
        return candidate is not None

    def impostor(self, now: float) -> Candidate | None:
        """Return where somebody answered lately who does not have the peer's secret; None once the peer answered."""
        lately = (each for each, at in self._unproved.items() if now - at < self.timings.lifetime)
        return next(lately, None)

    def rekeyed(self) -> None:
        """Forget who had no proof: with another key, ours or the peer's, it is another question."""
        self._unproved.clear()
        self._awaited.clear()

    def _asked(self, nonce: bytes, source: tuple[IPAddress, int], now: float) -> Candidate | None:
        """Return the candidate whose request is answered by this nonce from this place; None if none is."""
        request = self._awaited.get(nonce)
        if request is None or now - request.sent >= self.timings.patience:
            return None
        there = (request.candidate.address, request.candidate.port)
        return request.candidate if source == there else None

    def conclude(self, now: float) -> Conclusion:
        """Return the best candidate that answered lately, or else the one that was best before."""
        usable = [each for each in self.candidates if self._is_usable(each, now)]
        if usable:
            self._chosen = usable[0]
        return Conclusion(candidate=self._chosen, answered=self._chosen in usable)

    @property
    def answered_at(self) -> float | None:
        """When the candidate that is in use answered last; None if none is, or it never did."""
        return self._answers.get(self._chosen) if self._chosen is not None else None

    def _is_usable(self, candidate: Candidate, now: float) -> bool:
        answered = self._answers.get(candidate)
        return answered is not None and now - answered < self.timings.lifetime

    def _pause(self, now: float) -> float:
        settled = any(self._is_usable(each, now) for each in self.candidates)
        eager = not settled and now - self.since < self.timings.eager
        return self.timings.eager_interval if eager else self.timings.interval
