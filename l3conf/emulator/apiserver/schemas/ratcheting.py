"""Ratcheting: an update may keep a fault that the object already had (KEP-4008).

An error is forgiven if the faulty value, or a value around it, is the same in the old object and stands where the two
objects can be compared: in fields of objects and in items of map lists, found by their keys. Items of other lists
have no identity, so a changed list is judged as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.list_sets import child_schema, item_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.apiserver.schemas.json_value import JSON

_STEP = re.compile(r"\[(\d+)\]|([^.\[]+)")


def unforgiven(errors: Iterable[FieldError], new: JSON, old: JSON, schema: Mapping[str, Any]) -> list[FieldError]:
    """Return the errors that the update from ``old`` to ``new`` brought in."""
    return [error for error in errors if not _was_there(error.path, new, old, schema)]


def _was_there(path: str, new: JSON, old: JSON, schema: Mapping[str, Any] | None) -> bool:
    """Tell whether a value on the way from below the root to ``path`` is unchanged."""
    for position, name in _STEP.findall(path):
        if position:
            new, old, schema = _item(int(position), new, old, schema)
        else:
            new, old, schema = _field(name, new, old, schema)
        if new is None or old is None:
            return False
        if new == old:
            return True
    return False


def _field(name: str, new: JSON, old: JSON, schema: Mapping[str, Any] | None) -> tuple[JSON, JSON, Any]:
    below = child_schema(schema, name) if schema else None
    return _get(new, name), _get(old, name), below


def _get(value: JSON, name: str) -> JSON:
    return value.get(name) if isinstance(value, dict) else None


def _item(position: int, new: JSON, old: JSON, schema: Mapping[str, Any] | None) -> tuple[JSON, JSON, Any]:
    if not schema or schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return None, None, None
    item = new[position]
    key = item_key(item, schema)
    before = next((candidate for candidate in old if item_key(candidate, schema) == key), None)
    return item, before, schema.get("items")
