"""The type of decoded JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""None, bool, int, float, str, list or dict of these. A recursive type would need a cast at every step down."""


def kind_of(value: JSON) -> str:
    """Return the OpenAPI type of a value; ``integer`` for whole floats too, as Go's decoder makes them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return _OTHER_KINDS[type(value)]


_OTHER_KINDS = {float: "number", str: "string", list: "array", dict: "object"}
