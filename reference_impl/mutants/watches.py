"""Defects of how agents read an API that does not always say what happened, when it happened, or anything at all."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, ClassVar

from reference_impl.names import ENDPOINT_ADDRESS
from reference_impl.planner.exchange import WriteVerb
from reference_impl.protocols.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.planner.exchange import Write
    from reference_impl.protocols.mirror import Object

_QUIET = 5.0
"""Seconds without any change until somebody new is served."""


@dataclass(slots=True)
class Trusting(Mirror):
    """Whatever a watch says last is so, for good: older events win, and nothing is ever compared with a list."""

    relist: ClassVar[float] = inf

    def event_arrived(self, kind: str, key: str, item: Object) -> bool:
        """Believe it."""
        if kind == "DELETED":
            self.items.pop(key, None)
        else:
            self.items[key] = item
        return True


@dataclass(slots=True)
class Patient(Mirror):
    """A watch that says nothing has nothing to say."""

    relist: ClassVar[float] = inf


@dataclass(slots=True)
class Discouraged(Mirror):
    """A watch that ended in an error is not begun again."""

    def failed(self, retry_after: float = 0.0) -> float:  # noqa: ARG002 - it is not listened to
        """Wait for ever, if there was a list before."""
        return inf if self.synced else self.first_retry


@dataclass(slots=True)
class Forgetful(Mirror):
    """What cannot be read is not there."""

    def failed(self, retry_after: float = 0.0) -> float:
        """Forget everything."""
        self.items = {}
        # No super(): it does not work in a dataclass with slots.
        return Mirror.failed(self, retry_after)


@dataclass(slots=True)
class Confusing(Mirror):
    """All endpoints that were written down for a Service are taken for the first of them."""

    _first: dict[str, str] = field(default_factory=dict)
    """Address of the first endpoint by Service."""

    def list_arrived(self, fresh: Mapping[str, Object], version: str) -> bool:
        """Take a whole list."""
        return Mirror.list_arrived(self, {key: self._confused(item) for key, item in sorted(fresh.items())}, version)

    def event_arrived(self, kind: str, key: str, item: Object) -> bool:
        """Take an event."""
        return Mirror.event_arrived(self, kind, key, self._confused(item))

    def _confused(self, item: Object) -> Object:
        metadata = item["metadata"]
        notes = metadata.get("annotations") or {}
        if ENDPOINT_ADDRESS not in notes:
            return item
        service = f"{metadata.get('namespace')}/{item['spec']['serviceRef']['name']}"
        first = self._first.setdefault(service, notes[ENDPOINT_ADDRESS])
        return {**item, "metadata": {**metadata, "annotations": {**notes, ENDPOINT_ADDRESS: first}}}


def serve_the_noisy_first() -> Callable[[tuple[Write, ...]], tuple[Write, ...]]:
    """Do nothing else while there is something to replace, or was lately."""
    quiet_from = 0.0

    def serve(writes: tuple[Write, ...]) -> tuple[Write, ...]:
        nonlocal quiet_from
        now = time.monotonic()
        replaces = tuple(write for write in writes if write.verb is WriteVerb.REPLACE)
        if replaces:
            quiet_from = now + _QUIET
        return replaces if now < quiet_from else writes

    return serve


def by_name() -> Mapping[str, type[Mirror]]:
    """Return the defects of reading by the names of their mutants."""
    return {
        "watch-trusted": Trusting,
        "silence-believed": Patient,
        "stops-at-gone": Discouraged,
        "unreadable-is-empty": Forgetful,
        "endpoints-confused": Confusing,
    }
