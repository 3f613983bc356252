"""Kubernetes' CEL libraries for strings, lists and regular expressions, as Python functions.

Where a name belongs to several libraries (``indexOf``), the receiver's type decides. Not here: ``format``, ``quote``,
``url``, ``quantity``, ``semver``, ``sets``, ``authorizer``; a rule that calls them does not compile.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.schemas import cel_network
from l3conf.emulator.apiserver.schemas.patterns import compiled_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.schemas.json_value import JSON


def _char_at(text: str, position: int) -> str:
    _check_bounds(position, len(text))
    return text[position : position + 1]


def _index_of(receiver: JSON, wanted: JSON, offset: int = 0) -> int:
    if isinstance(receiver, str):
        _check_bounds(offset, len(receiver))
        return receiver.find(wanted, offset)
    return next((i for i, item in enumerate(receiver) if item == wanted), -1)


def _last_index_of(receiver: JSON, wanted: JSON, offset: int | None = None) -> int:
    if isinstance(receiver, str):
        return receiver.rfind(wanted, 0, None if offset is None else offset + len(wanted))
    return next((i for i in reversed(range(len(receiver))) if receiver[i] == wanted), -1)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"index out of range: {start}")
    return text[start:stop]


def _check_bounds(position: int, length: int) -> None:
    if not 0 <= position <= length:
        raise ValueError(f"index out of range: {position}")


def _extreme(choose: Callable[[JSON], JSON]) -> Callable[[JSON], JSON]:
    def chosen(items: JSON) -> JSON:
        if not items:
            raise ValueError(f"{choose.__name__} called on empty list")
        return choose(items)

    return chosen


def _is_sorted(items: JSON) -> bool:
    return all(left <= right for left, right in itertools.pairwise(items))


def _string(value: JSON) -> str:
    """Convert as CEL's own ``string`` does, addresses and prefixes included."""
    text = cel_network.as_string(value)
    if text is not None:
        return text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("no such overload: string")


LIBRARIES = cel_network.LIBRARIES

FUNCTIONS: dict[str, Callable[..., JSON]] = {
    **cel_network.FUNCTIONS,
    "charAt": _char_at,
    "find": lambda text, pattern: compiled_pattern(pattern).first(text),
    "findAll": lambda text, pattern, limit=-1: compiled_pattern(pattern).all(text)[: limit if limit >= 0 else None],
    "indexOf": _index_of,
    "isSorted": _is_sorted,
    "join": lambda items, separator="": separator.join(items),
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: "".join(c.lower() if c.isascii() else c for c in text),
    "max": _extreme(max),
    "min": _extreme(min),
    "replace": _replace,
    "reverse": lambda text: text[::-1],
    "split": _split,
    "string": _string,
    "substring": _substring,
    "sum": sum,
    "trim": str.strip,
    "upperAscii": lambda text: "".join(c.upper() if c.isascii() else c for c in text),
}
