"""``status.conditions`` and the timestamps in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def timestamp(moment: datetime) -> str:
    """Return ``metav1.Time``: RFC 3339 in UTC with whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """Return ``metav1.MicroTime``: RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> datetime:
    """Read either spelling."""
    return datetime.fromisoformat(text)


def condition(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> Mapping[str, Any] | None:
    """Return the condition of that type, or None."""
    return next((item for item in conditions or () if item.get("type") == kind), None)


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    """Say whether an object reports a condition as ``True``."""
    found = condition(obj.get("status", {}).get("conditions"), kind)
    return found is not None and found.get("status") == "True"


def with_condition(
    conditions: Sequence[Mapping[str, Any]] | None, new: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Return the list with ``new`` in its place; ``lastTransitionTime`` moves only when the status changes."""
    old = condition(conditions, new["type"])
    stays = old is not None and old.get("status") == new["status"]
    since = old.get("lastTransitionTime") if old is not None and stays else None
    made = {"lastTransitionTime": since or timestamp(now)} | dict(new)
    if old is None:
        return [*(dict(item) for item in conditions or ()), made]
    return [made if item.get("type") == new["type"] else dict(item) for item in conditions or ()]
