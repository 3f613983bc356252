"""Signs of life at the broker: one Lease a member, as state machines without clock or API.

A Lease is timed by when *we* saw it change, never by the times written in it: clocks of two clusters need not agree.
And only what was looked at can be stale: while the broker is out of reach nobody grows older.

One identity, two holders: a gateway that was cloned, with its member's credential, beats as well as the original.
Holders are told apart by ``<instance>/<node>/<life>``: the cluster that they are in, their node, and a word of each
process. A gateway whose Lease is held, and renewed, from another cluster holds back (``Standing.YIELDING``); one whose
Lease was taken while it lived takes it again. Both say so in the Lease itself, where all others read it.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL = 2.0
"""Seconds between two beats in a small set."""
BEATS = 3
"""Beats that must be missing before a member is stale: two lost ones are no alarm."""
EXPIRY = 5.0
"""Seconds for which a member must have been stale before it may be given up: longer than it takes to tell a lost
connection from a lost packet, so that one that is only cut off from the broker has shown that it answers."""
_PER_SECOND = 25.0
"""Beats a second that a broker is given to write, at most: larger sets beat more slowly."""


def interval(members: int) -> float:
    """Return the seconds between two beats of one member in a set of so many."""
    return max(INTERVAL, members / _PER_SECOND)


class Life(enum.Enum):
    """What a Lease says of its member."""

    ALIVE = "alive"
    STALE = "stale"
    SILENT = "silent"
    """Stale for so long that it may be given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A member's Lease, as far as it is read."""

    holder: str
    """``holderIdentity``."""
    renewed: str
    """``renewTime``, only compared for change."""
    duration: float
    """``leaseDurationSeconds``: after so long without a change it is stale."""
    contested: str = ""
    """Who else says to be this member; changes with every beat of it. "" if nobody does."""
    life: Life | None = None
    """What the broker's agent found, which looks at the Lease itself; None: the reader does."""


@dataclass(slots=True)
class _Seen:
    beat: Beat
    renewed_at: float
    contested_at: float


@dataclass(slots=True)
class Heartbeats:
    """What the Leases of all members have shown. Times are seconds of any monotonic clock."""

    step: float = math.inf
    """Seconds by which members age from one look to the next at most: between looks further apart, looks failed."""
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _looked: float | None = None
    _lag: float = 0.0
    _age: float = 0.0
    """The time by which members are timed: it stands still while looks fail."""

    def observe(self, beats: Mapping[str, Beat], now: float) -> None:
        """Take the Leases as they stand, by cluster id. One that nobody has seen before counts as just renewed."""
        if self._looked is not None:
            self._lag += max(0.0, now - self._looked - self.step)
        self._looked, self._age = now, now - self._lag
        self._seen = {member: self._next(self._seen.get(member), beat) for member, beat in beats.items()}

    def recall(self, beats: Mapping[str, Beat], now: float) -> None:
        """Take what somebody before us found, as of now. Who was stale or silent is so until its Lease changes."""
        age = now - self._lag
        for member, beat in beats.items():
            missed = {Life.STALE: beat.duration, Life.SILENT: beat.duration + EXPIRY}.get(beat.life or Life.ALIVE, 0.0)
            self._seen.setdefault(member, _Seen(replace(beat, life=None), age - missed, age - beat.duration))

    def _next(self, before: _Seen | None, beat: Beat) -> _Seen:
        if before is None:
            return _Seen(beat, self._age, self._age)
        same = (before.beat.holder, before.beat.renewed) == (beat.holder, beat.renewed)
        contested = before.contested_at if before.beat.contested == beat.contested else self._age
        return _Seen(beat, before.renewed_at if same else self._age, contested)

    @property
    def lives(self) -> Mapping[str, Life]:
        """Return what is known of each member that has a Lease, as of the last look."""
        return {member: seen.beat.life or self._timed(seen) for member, seen in self._seen.items()}

    def _timed(self, seen: _Seen) -> Life:
        missed = self._age - seen.renewed_at - seen.beat.duration
        return Life.ALIVE if missed < 0 else Life.STALE if missed < EXPIRY else Life.SILENT

    @property
    def silent(self) -> frozenset[str]:
        """Return the members that have been stale for ``EXPIRY``, as of the last look."""
        return frozenset(member for member, life in self.lives.items() if life is Life.SILENT)

    @property
    def contested(self) -> frozenset[str]:
        """Return the members whose identity somebody else presented as well, as of the last look."""
        return frozenset(
            member
            for member, seen in self._seen.items()
            if seen.beat.contested and self._age - seen.contested_at < seen.beat.duration
        )


class Expiry:
    """Which members are given up: neither beats at the broker nor round trips say that they live (docs/adr/0024)."""

    def __init__(self) -> None:
        self._given_up: frozenset[str] = frozenset()

    def look(self, silent: frozenset[str], answering: frozenset[str]) -> frozenset[str]:
        """Return the members that are given up now. One is until it beats again: without a cable nobody can answer."""
        self._given_up = frozenset(member for member in silent if member in self._given_up or member not in answering)
        return self._given_up


class Standing(enum.Enum):
    """Whether we may speak for our member at the broker."""

    UNKNOWN = "unknown"
    """Not looked yet."""
    HOLDING = "holding"
    YIELDING = "yielding"
    """Another cluster beats under our identity: it was first."""


@dataclass(slots=True)
class OwnHeartbeat:
    """Our own Lease: what to write there next."""

    instance: str
    """What tells this cluster from every other."""
    holder: str
    """Who we are: ``instance/node/life``."""
    standing: Standing = Standing.UNKNOWN
    _held: bool = False
    _beats: int = 0
    _rival: str = ""
    _watch: Heartbeats = field(default_factory=Heartbeats)

    @property
    def rival(self) -> str:
        """Return who else presents our identity; "" if nobody does."""
        return self._rival

    def next(self, found: Beat | None, now: float, duration: float) -> Beat:
        """Take our Lease as it stands (None: there is none) and return what it should say; ``renewed`` is the caller's.

        Where we yield, all that changes is ``contested``.
        """
        self._beats += 1
        self._watch.observe({"": found} if found is not None else {}, now)
        if found is None or found.holder == self.holder:
            return self._hold(duration, self._contested_by_others(found))
        alive = self._watch.lives[""] is Life.ALIVE
        foreign = found.holder.partition("/")[0] != self.instance
        if self._held:
            return self._hold(duration, f"{found.holder} {self._beats}", rival=found.holder)
        if foreign and alive:
            self.standing, self._rival = Standing.YIELDING, found.holder
            contested = f"{self.holder} {self._beats}"
            return Beat(holder=found.holder, renewed=found.renewed, duration=found.duration, contested=contested)
        return self._hold(duration, "")

    def _contested_by_others(self, found: Beat | None) -> str:
        """Return what others say in our Lease, as long as they go on saying it."""
        return found.contested if found is not None and "" in self._watch.contested else ""

    def _hold(self, duration: float, contested: str, rival: str = "") -> Beat:
        self.standing, self._held = Standing.HOLDING, True
        self._rival = rival or contested.partition(" ")[0]
        return Beat(holder=self.holder, renewed="", duration=duration, contested=contested)
