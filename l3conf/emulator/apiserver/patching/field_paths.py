"""Names of fields in managedFields: paths, and sets of paths as ``FieldsV1`` writes them.

A step is spelt as in FieldsV1: ``f:<name>`` a field, ``k:{"port":80}`` the item of a map list with these keys,
``v:"x"`` an item of a set. In a FieldsV1 tree, ``.`` says that the node itself belongs to the set, not only what is
below it. Source: KEP-555 and structured-merge-diff's serialisation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON

Path: TypeAlias = tuple[str, ...]

_SELF = "."


def field_step(name: str) -> str:
    """Return the step to a field of an object or an entry of a map."""
    return f"f:{name}"


def key_step(keys: Mapping[str, JSON]) -> str:
    """Return the step to an item of a map list."""
    return f"k:{json.dumps(keys, separators=(',', ':'), sort_keys=True, ensure_ascii=False)}"


def value_step(value: JSON) -> str:
    """Return the step to an item of a set."""
    return f"v:{json.dumps(value, separators=(',', ':'), sort_keys=True, ensure_ascii=False)}"


def described(path: Path) -> str:
    """Return ``.spec.ports[port=80,protocol="TCP"].name``, as conflicts print it."""
    return "".join(map(_described_step, path))


def to_fields_v1(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the FieldsV1 tree of a set of paths."""
    root: dict[str, Any] = {}
    members = set(paths)
    for path in sorted(members):
        node = root
        for depth, step in enumerate(path, 1):
            node = node.setdefault(step, {_SELF: {}} if path[:depth] in members else {})
    return _without_lonely_marks(root)


def from_fields_v1(tree: Mapping[str, Any]) -> frozenset[Path]:
    """Return the set of paths that a FieldsV1 tree stands for."""
    return frozenset(_members(tree, ()))


def with_ancestors(paths: Iterable[Path]) -> set[Path]:
    """Return the paths and everything above them, the root excepted."""
    return {path[:depth] for path in paths for depth in range(1, len(path) + 1)}


def _members(tree: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for step, below in tree.items():
        if step == _SELF:
            continue
        here = (*path, step)
        if not below or _SELF in below:
            yield here
        yield from _members(below, here)


def _without_lonely_marks(tree: dict[str, Any]) -> dict[str, Any]:
    """Write leaves as ``{}``; the mark is needed only beside children."""
    return {step: {} if set(below) == {_SELF} else _without_lonely_marks(below) for step, below in sorted(tree.items())}


def _described_step(step: str) -> str:
    kind, _, text = step.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "v":
        return f"[={text}]"
    keys = json.loads(text)
    return f"[{','.join(f'{name}={json.dumps(value)}' for name, value in keys.items())}]"
