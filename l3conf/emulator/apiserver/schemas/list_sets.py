"""Lists that are sets or maps: no item, or no key of an item, may be there twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import FieldError, duplicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON


def duplicates(value: JSON, schema: Mapping[str, Any], path: str = "") -> Iterator[FieldError]:
    """Yield an error for every later item that repeats an earlier one, all the way down."""
    if isinstance(value, list):
        yield from _repeated_items(value, schema, path)
        items = schema.get("items")
        if isinstance(items, dict):
            for position, item in enumerate(value):
                yield from duplicates(item, items, f"{path}[{position}]")
    elif isinstance(value, dict):
        for name, sub in value.items():
            below = child_schema(schema, name)
            if below is not None:
                yield from duplicates(sub, below, f"{path}.{name}" if path else name)


def child_schema(schema: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the schema of an object's field, or None if nothing is known about it."""
    sub = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
    return sub if isinstance(sub, dict) else None


def item_key(item: JSON, schema: Mapping[str, Any]) -> JSON:
    """Return what identifies an item of a set or map list: the item itself, or its keys with their defaults."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(item, dict):
        return item
    properties = schema.get("items", {}).get("properties", {})
    names = schema.get("x-kubernetes-list-map-keys", ())
    return {name: item.get(name, properties.get(name, {}).get("default")) for name in names}


def _repeated_items(items: list[JSON], schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get("x-kubernetes-list-type") not in {"set", "map"}:
        return
    seen: set[str] = set()
    for position, item in enumerate(items):
        key = item_key(item, schema)
        text = json.dumps(key, sort_keys=True)
        if text in seen:
            yield duplicate(f"{path}[{position}]", key)
        seen.add(text)
