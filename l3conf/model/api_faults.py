"""Faults of Kubernetes APIs as values: what one API server does to some of its clients' requests and watches.

Each names its clients by user and User-Agent, and the requests by verb and resource, in shell patterns. Components of
the emulator itself are no clients: they speak to their server without HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

_REFUSALS = range(400, 600)
_CHANGED = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class APIClients:
    """Whose requests are met, at which server; patterns are those of ``fnmatch``."""

    cluster: str
    """A cluster's name, or ``broker``."""
    user: str = "*"
    """The authenticated user, as in ``system:serviceaccount:NAMESPACE:NAME``."""
    agent: str = "*"
    """The ``User-Agent`` header."""
    verbs: tuple[str, ...] = ()
    """As RBAC has them (``get``, ``list``, ``watch`` …); empty means all."""
    resource: str = "*"
    """As ``kubectl get`` takes it: ``pods``, ``endpoints.submariner.io``; subresources share their parent's fate."""

    def meet(self, *, user: str, agent: str, verb: str, resource: str) -> bool:
        """Say whether a request is meant."""
        return (
            (not self.verbs or verb in self.verbs)
            and fnmatchcase(user, self.user)
            and fnmatchcase(agent, self.agent)
            and fnmatchcase(resource, self.resource)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sometimes(APIClients):
    share: float = 1.0
    """Which part of the requests or events is met, each by itself; above 0, at most 1."""
    seed: int = 0
    """The same seed chooses the same ones again."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"a share is above 0 and at most 1, not {self.share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class APIRefused(_Sometimes):
    """Requests are refused before anything is done, with a Status. Watches that are open already go on.

    Not of reads: 409, which only what writes can meet.
    """

    code: int
    """HTTP status, 400 to 599."""
    retry_after: int | None = None
    """Seconds that the client is asked to wait (RFC 9110 section 10.2.3)."""

    def __post_init__(self) -> None:
        # No super(): it does not work in a dataclass with slots.
        _Sometimes.__post_init__(self)
        if self.code not in _REFUSALS:
            raise ValueError(f"{self.code} is no HTTP status of a refusal")

    def meet(self, *, user: str, agent: str, verb: str, resource: str) -> bool:
        """Say whether a request is meant; reads never conflict."""
        if self.code == _CHANGED and verb in {"get", "list", "watch"}:
            return False
        return APIClients.meet(self, user=user, agent=agent, verb=verb, resource=resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class APISlow(APIClients):
    """Answers begin later, also those to watches; their order is kept."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class APIDropped(_Sometimes):
    """Connections break in place of an answer, and under watches that are open when this begins."""

    carried_out: bool = False
    """The request was carried out, and nobody tells the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class APIExpired(APIClients):
    """Watches, new and open ones, end with 410, and so do lists that go on with ``continue``: history was compacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsDuplicated(_Sometimes):
    """Events of watches come twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLate(APIClients):
    """Events of watches come later; their order is kept."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsReordered(APIClients):
    """Events of watches are collected for a while and come newest first, as from caches of servers that lag."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchesSilent(APIClients):
    """Watches stay open and never say anything again, those open now and those begun meanwhile; bookmarks neither."""


RequestFault: TypeAlias = APIRefused | APISlow | APIDropped
WatchFault: TypeAlias = APIDropped | APIExpired | EventsDuplicated | EventsLate | EventsReordered | WatchesSilent
APIFault: TypeAlias = RequestFault | WatchFault
