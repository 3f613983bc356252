"""Leader election by Lease, as a state machine without clock or API (the rules of client-go's leaderelection).

A foreign lease is timed by when *we* saw it change, never by the times written in it: clocks of two nodes need
not agree.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionTimings:
    """Times of the election, in seconds."""

    lease: float = 15.0
    """A lease that has not changed for this long is free."""
    renew_deadline: float = 10.0
    """A leader that could not renew for this long stops leading; shorter than ``lease``, so never two lead."""
    renew: float = 4.0
    """Between two renewals: where one fails there is time for two more, ``retry`` apart, before the deadline."""
    retry: float = 2.0
    """Between two tries to take the lease, or to renew it where the last one failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """A Lease's ``spec`` as far as the election reads it."""

    holder: str
    """Empty: released."""
    renewed: str
    """``renewTime``, only compared for change."""
    transitions: int = 0


class Role(enum.Enum):
    """What the election says about us."""

    UNKNOWN = "unknown"
    """Nothing seen yet, or the API cannot be reached: change nothing."""
    ACTIVE = "active"
    PASSIVE = "passive"


class Ground(enum.Enum):
    """On what ground a Lease that somebody else holds may be taken before its time."""

    NONE = "none"
    LEFT = "left"
    """Its holder's node is no gateway node any more, or is being drained: as the API says, whom both believe."""
    SILENT = "silent"
    """Its holder's node answers nobody. That may be wrong, so it is no ground twice within a lease's time: two nodes
    that do not hear each other would pass the Lease to and fro."""


class Action(enum.Enum):
    """What to write next."""

    CREATE = "create"
    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


class Election:
    """One candidate's view of one lease."""

    def __init__(self, identity: str, timings: ElectionTimings) -> None:
        self.identity = identity
        self.timings = timings
        self._record: LeaseRecord | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self._passed_at: float | None = None
        """When the lease went from one holder to another, as we saw it."""

    def observe(self, record: LeaseRecord | None, now: float, ground: Ground = Ground.NONE) -> Action:
        """Take the lease as it stands in the API (None: there is none) and say what to do about it.

        ``ground``: what else is known about its holder.
        """
        if record is None:
            return Action.CREATE
        if record != self._record:
            if self._record is not None and record.holder != self._record.holder:
                self._passed_at = now
            self._record, self._seen_at = record, now
        if record.holder == self.identity:
            return Action.RENEW
        self._renewed_at = None
        if not record.holder or now - self._seen_at >= self.timings.lease:
            return Action.TAKE
        if ground is Ground.LEFT or (ground is Ground.SILENT and not self._passed_lately(now)):
            return Action.TAKE
        return Action.WAIT

    def _passed_lately(self, now: float) -> bool:
        return self._passed_at is not None and now - self._passed_at < self.timings.lease

    def written(self, record: LeaseRecord, now: float) -> None:
        """Take note that the API accepted our record."""
        if self._record is not None and self._record.holder != record.holder:
            self._passed_at = now
        self._record, self._seen_at, self._renewed_at = record, now, now

    @property
    def holder(self) -> str:
        """Return who held the lease when it was last seen; "" if nobody did."""
        return self._record.holder if self._record is not None else ""

    def role(self, now: float) -> Role:
        """Return our role now."""
        if self._renewed_at is not None:
            return Role.ACTIVE if now - self._renewed_at < self.timings.renew_deadline else Role.UNKNOWN
        if self._record is None or self._record.holder in ("", self.identity):
            return Role.UNKNOWN
        return Role.PASSIVE
