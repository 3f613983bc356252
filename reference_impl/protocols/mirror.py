"""What is known of one kind of object from lists and watches, whatever an API does to them: no clock and no API.

The last word about an object is the one with the greatest resourceVersion, not the one that arrived last. Versions
of one server compare as numbers (KEP-5504, Comparable Resource Version); where they are none, arrival decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Object: TypeAlias = dict[str, Any]

STUBBORN = 3
"""Lists in a row that may be older than what is known before they are believed: then the server was restored from a
backup, or it is another one, and its numbers began anew."""


@dataclass(slots=True)
class Mirror:
    """Objects by key."""

    relist: ClassVar[float] = 30.0
    """Seconds after which everything is listed anew: a watch whose other end died silently must not blind us."""
    first_retry: ClassVar[float] = 0.2
    last_retry: ClassVar[float] = 10.0
    """Seconds between tries when the API refuses or cannot be reached; doubled from the first to the last."""

    items: dict[str, Object] = field(default_factory=dict)
    synced: bool = False
    """Whether everything was listed once: before that, absence means nothing."""
    _listed: int = 0
    """Version of the newest list: whatever is not newer is in it."""
    _gone: dict[str, int] = field(default_factory=dict)
    """Versions of deletions since then: an older event must not bring the object back."""
    _behind: int = 0
    _failures: int = 0

    def list_arrived(self, fresh: Mapping[str, Object], version: str) -> bool:
        """Take a whole list; say whether anything is different now."""
        number = _number(version)
        if self.synced and number is not None and number < self._newest and self._behind + 1 < STUBBORN:
            self._behind += 1
            return False
        changed = not self.synced or dict(fresh) != self.items
        # An object that is the same stays the very same one: who compares looks at nothing inside.
        self.items = {key: item if item != (known := self.items.get(key)) else known for key, item in fresh.items()}
        self._gone = {}
        self.synced, self._behind, self._listed = True, 0, number or 0
        return changed

    @property
    def is_behind(self) -> bool:
        """Say whether the last list was older than what is known, and so to be asked for again."""
        return self._behind > 0

    def event_arrived(self, kind: str, key: str, item: Object) -> bool:
        """Take an event of a watch (``ADDED``, ``MODIFIED``, ``DELETED``); say whether anything is different now."""
        number, known = _version(item), self.items.get(key)
        if kind not in ("ADDED", "MODIFIED", "DELETED") or (number is not None and self._is_old(number, key)):
            return False
        if kind == "DELETED":
            if number is not None:
                self._gone[key] = number
            return self.items.pop(key, None) is not None
        self.items[key] = item
        return item != known

    def failed(self, retry_after: float = 0.0) -> float:
        """Take note that the API refused a list or broke off a watch; return the seconds to wait.

        ``retry_after``: what the server asked for (RFC 9110 section 10.2.3).
        """
        pause: float = min(self.first_retry * 2**self._failures, self.last_retry)
        self._failures = min(self._failures + 1, 16)
        return max(pause, retry_after)

    def lasted(self) -> None:
        """Take note that a watch lived for a while: the next failure is a first one."""
        self._failures = 0

    def _is_old(self, number: int, key: str) -> bool:
        """Say whether something newer is known; a deletion may have the version of what it deletes."""
        known = self.items.get(key)
        version = _version(known) if known is not None else None
        return number <= max(self._listed, self._gone.get(key, 0)) or (version is not None and number < version)

    @property
    def _newest(self) -> int:
        return max((self._listed, *self._gone.values(), *(_version(item) or 0 for item in self.items.values())))


def _version(item: Mapping[str, Any]) -> int | None:
    return _number(str(item["metadata"].get("resourceVersion") or ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
