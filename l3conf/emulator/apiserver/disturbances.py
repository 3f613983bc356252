"""Faults in force at one API server: which of them a request or a watch meets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.model.api_faults import (
    APIDropped,
    APIExpired,
    APIRefused,
    APISlow,
    EventsDuplicated,
    EventsLate,
    EventsReordered,
    WatchesSilent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.model.api_faults import APIFault

COMPACTED = "The resourceVersion for the provided watch or list is too old: its history was compacted"
_CONFLICT = 409
_OWN_FAULT = 500
_REFUSED = "an error on the server has prevented the request from succeeding"
_WORDS = {
    410: ("Expired", COMPACTED),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}
"""Reason and message by HTTP status (``apimachinery/pkg/api/errors``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A request, as far as faults tell them apart."""

    user: str
    agent: str
    verb: str
    resource: str
    """``endpoints.submariner.io``; empty for what is no resource, which only ``*`` meets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request: first the delay, then one of the others, if any."""

    delay: float = 0.0
    """Seconds."""
    dropped: bool = False
    """The connection breaks, and nothing was done."""
    unanswered: bool = False
    """The connection breaks after everything was done."""
    refusal: errors.StatusError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFate:
    """What becomes of a watch, and of the events that are about to be sent in it."""

    silent: bool = False
    dropped: bool = False
    expired: bool = False
    late: float = 0.0
    """Seconds that events are held back."""
    collected: float = 0.0
    """Seconds for which events are collected, to be sent newest first."""
    copies: Callable[[], int] = lambda: 1
    """How often the next event comes."""

    @property
    def ends(self) -> bool:
        """Say whether no event comes any more."""
        return self.silent or self.dropped or self.expired


class Disturbances:
    """The faults of one server. Whoever waits while a fault begins or ends may have itself woken."""

    def __init__(self) -> None:
        self._faults: dict[int, tuple[APIFault, random.Random]] = {}
        self._begun = 0
        self._sleepers: set[Callable[[], None]] = set()

    def begin(self, fault: APIFault) -> Callable[[], None]:
        """Have a fault in force until the function that is returned is called. That may be called twice."""
        self._begun += 1
        number = self._begun
        # To be replayed, and no two kinds of fault always meet the same requests.
        self._faults[number] = fault, random.Random(repr(fault))  # noqa: S311
        self._wake()

        def end() -> None:
            if self._faults.pop(number, None) is not None:
                self._wake()

        return end

    def wakes(self, sleeper: Callable[[], None]) -> Callable[[], None]:
        """Call ``sleeper`` whenever faults change; return what ends that."""
        self._sleepers.add(sleeper)
        return lambda: self._sleepers.discard(sleeper)

    def of_request(self, client: Client, *, continues: bool) -> Fate:
        """Return what becomes of a request; ``continues``: it goes on with a list."""
        delay, dropped, unanswered, refusal = 0.0, False, False, None
        for fault, chance in self._meeting(client):
            match fault:
                case APISlow():
                    delay += fault.seconds
                case APIDropped() if chance.random() < fault.share:
                    dropped, unanswered = dropped or not fault.carried_out, unanswered or fault.carried_out
                case APIRefused() if chance.random() < fault.share:
                    refusal = refusal or refused(fault, client)
                case APIExpired() if continues:
                    refusal = refusal or errors.gone(COMPACTED)
                case _:
                    pass
        return Fate(delay=delay, dropped=dropped, unanswered=unanswered, refusal=refusal)

    def of_watch(self, client: Client) -> WatchFate:
        """Return what becomes of an open watch now."""
        met = [(fault, chance) for fault, chance in self._meeting(client) if client.verb == "watch"]
        faults = [fault for fault, _ in met]
        doubled = [(fault, chance) for fault, chance in met if isinstance(fault, EventsDuplicated)]
        return WatchFate(
            silent=any(isinstance(fault, WatchesSilent) for fault in faults),
            dropped=any(isinstance(fault, APIDropped) and chance.random() < fault.share for fault, chance in met),
            expired=any(isinstance(fault, APIExpired) for fault in faults),
            late=sum(fault.seconds for fault in faults if isinstance(fault, EventsLate)),
            collected=max((fault.seconds for fault in faults if isinstance(fault, EventsReordered)), default=0.0),
            copies=lambda: 1 + sum(chance.random() < fault.share for fault, chance in doubled),
        )

    def _meeting(self, client: Client) -> Iterator[tuple[APIFault, random.Random]]:
        for fault, chance in tuple(self._faults.values()):
            if fault.meet(user=client.user, agent=client.agent, verb=client.verb, resource=client.resource):
                yield fault, chance

    def _wake(self) -> None:
        for sleeper in tuple(self._sleepers):
            sleeper()


def refused(fault: APIRefused, client: Client) -> errors.StatusError:
    """Return a refusal in the words of a real API server."""
    plural, _, group = client.resource.partition(".")
    if fault.code == _CONFLICT:
        return errors.conflict(plural, "", group=group)
    reason, message = _WORDS.get(fault.code, ("InternalError" if fault.code >= _OWN_FAULT else "Unknown", _REFUSED))
    after = {} if fault.retry_after is None else {"retryAfterSeconds": fault.retry_after}
    return errors.StatusError(fault.code, reason, message, after)
