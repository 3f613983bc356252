"""Objects as trees of owned fields: which parts are fields of their own, and merging, comparing and cutting them.

Lists merge as ``x-kubernetes-list-type`` says (default: atomic), objects are granular unless ``x-kubernetes-map-type``
is atomic. Where the schema knows nothing, objects are granular and lists atomic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.patching.element_order import ordered
from l3conf.emulator.apiserver.patching.errors import MalformedPatchError
from l3conf.emulator.apiserver.patching.field_paths import Path, described, field_step, key_step, value_step
from l3conf.emulator.apiserver.schemas.list_sets import child_schema, item_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_ATOMIC = "atomic"


@dataclass(frozen=True, slots=True)
class Node:
    """One field of an object."""

    value: JSON
    """What a leaf (scalar, atomic list or object) holds; None for nodes with fields of their own below."""
    is_leaf: bool
    is_member: bool
    """An applied configuration owns the node itself, not only what is below it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one object differs from another, by paths."""

    added: frozenset[Path]
    modified: frozenset[Path]
    removed: frozenset[Path]

    @property
    def any_change(self) -> bool:
        """Tell whether the two differ at all."""
        return bool(self.added or self.modified or self.removed)


def fields_of(value: JSON, schema: Mapping[str, Any]) -> dict[Path, Node]:
    """Return every field below ``value``, parents before children. MalformedPatchError if list keys repeat."""
    return dict(_nodes(value, schema, ()))


def compare(before: Mapping[Path, Node], after: Mapping[Path, Node]) -> Comparison:
    """Compare two objects by their fields."""
    both = before.keys() & after.keys()
    return Comparison(
        added=frozenset(after.keys() - both),
        modified=frozenset(path for path in both if before[path].value != after[path].value),
        removed=frozenset(before.keys() - both),
    )


def merged(live: JSON, applied: JSON, schema: Mapping[str, Any]) -> JSON:
    """Return ``live`` with every field that ``applied`` has; nothing is removed."""
    if isinstance(live, dict) and isinstance(applied, dict) and not _is_atomic(schema):
        result = dict(live)
        for name, value in applied.items():
            result[name] = merged(live.get(name), value, child_schema(schema, name) or {})
        return result
    if isinstance(live, list) and isinstance(applied, list) and _list_type(schema) != _ATOMIC:
        return _merged_items(live, applied, schema)
    return applied


def without(value: JSON, paths: Collection[Path], schema: Mapping[str, Any], path: Path = ()) -> JSON:
    """Return ``value`` without the fields at ``paths`` and all that is below them."""
    steps = list(_steps(value, schema))
    if not steps:
        return value
    kept = [
        (key, without(child, paths, below, (*path, step)))
        for step, key, child, below, _ in steps
        if (*path, step) not in paths
    ]
    return dict(kept) if isinstance(value, dict) else [child for _, child in kept]


def _nodes(value: JSON, schema: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Node]]:
    seen: set[str] = set()
    for step, _, child, below, is_named in _steps(value, schema):
        here = (*path, step)
        if step in seen:
            raise MalformedPatchError(f"{described(path)}: duplicate entries for key {described((step,))}")
        seen.add(step)
        is_leaf = not _has_fields(child, below)
        yield here, Node(child if is_leaf else None, is_leaf, is_leaf or not is_named or not child)
        if not is_leaf:
            yield from _nodes(child, below, here)


def _steps(value: JSON, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, JSON, Mapping[str, Any], bool]]:
    """Yield (step, name, child, child's schema, whether it is a named field) of a value that has fields of its own."""
    if not _has_fields(value, schema):
        return
    if isinstance(value, dict):
        named = schema.get("properties", {})
        for name, child in value.items():
            yield field_step(name), name, child, child_schema(schema, name) or {}, name in named
    else:
        for item in value:
            yield item_step(item, schema), "", item, schema.get("items", {}), False


def _has_fields(value: JSON, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, dict):
        return not _is_atomic(schema)
    return isinstance(value, list) and _list_type(schema) != _ATOMIC


def item_step(item: JSON, schema: Mapping[str, Any]) -> str:
    """Return the step to an item of a set or map list."""
    if _list_type(schema) == "map" and isinstance(item, dict):
        keys = {name: value for name, value in item_key(item, schema).items() if value is not None}
        return key_step(keys)
    return value_step(item)


def _merged_items(live: list[JSON], applied: list[JSON], schema: Mapping[str, Any]) -> list[JSON]:
    items = schema.get("items", {})
    by_step = {item_step(item, schema): item for item in live}
    for item in applied:
        step = item_step(item, schema)
        by_step[step] = merged(by_step.get(step), item, items)
    return ordered(list(by_step.values()), applied, live, lambda item: item_step(item, schema))


def _is_atomic(schema: Mapping[str, Any]) -> bool:
    return schema.get("x-kubernetes-map-type") == _ATOMIC


def _list_type(schema: Mapping[str, Any]) -> str:
    return str(schema.get("x-kubernetes-list-type", _ATOMIC))
