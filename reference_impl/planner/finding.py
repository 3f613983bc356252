"""One thing that is wrong, in words that whoever must mend it understands. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MONTHS = 60 * _DAY


class Weight(enum.Enum):
    """How bad it is."""

    ERROR = "error"
    """Something does not work."""
    WARNING = "warning"
    """Something will not, or cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What, where and the remedy."""

    code: str
    """CamelCase; what scripts look for."""
    where: str
    what: str
    remedy: str
    weight: Weight = Weight.ERROR


def age(seconds: float) -> str:
    """Return a time as people say it; what is older than months was never."""
    if seconds > _MONTHS:
        return "months"
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def entries(value: object) -> list[Mapping[str, Any]]:
    """Return the JSON objects in a list; nothing of what else stands there."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one where something else stands."""
    return value if isinstance(value, Mapping) else {}
