"""Server-side apply and the record of who owns which field (``metadata.managedFields``, KEP-555).

The caller resets beforehand what an endpoint ignores (``status`` on the main resource, all else on ``status``), and
applies defaults, validation and admission afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from l3conf.emulator.apiserver.patching import managers
from l3conf.emulator.apiserver.patching.errors import ApplyConflictError, FieldConflict, MalformedPatchError
from l3conf.emulator.apiserver.patching.field_paths import Path, described, with_ancestors
from l3conf.emulator.apiserver.patching.managers import APPLY, UPDATE, Manager, Ownership
from l3conf.emulator.apiserver.patching.typed import Comparison, Node, compare, fields_of, merged, without

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from l3conf.emulator.apiserver.schemas.json_value import JSON

Object: TypeAlias = dict[str, Any]

_BEFORE_FIRST_APPLY = "before-first-apply"
_UNOWNED = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata",)}) | {
    ("f:metadata", f"f:{name}")
    for name in (
        "creationTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    )
}
"""Identity and bookkeeping belong to nobody."""


def apply(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    api_version: str,
    now: datetime,
    schema: Mapping[str, Any] | None,
    subresource: str = "",
) -> Object:
    """Return the object after ``manager`` applied its intent, with managedFields brought up to date.

    ``live`` is None if the object does not exist yet. ``schema`` is the kind's OpenAPI v3 schema
    (``StructuralSchema.openapi`` or ``builtin.schema(…)``); None treats lists as atomic and objects as granular.
    ``now`` is timezone-aware. Fields that the manager applied before, applies no longer and nobody else owns, vanish.
    Raises ApplyConflictError (409) unless ``force``, MalformedPatchError (400).
    """
    if (applied.get("metadata") or {}).get("managedFields"):
        raise MalformedPatchError("metadata.managedFields must be nil")
    known = schema or {}
    me = Manager(manager, APPLY, api_version, subresource)
    intent = _without_nulls(applied)
    owners = _owners_before_apply(live, known, api_version)
    previous = owners.get(me, frozenset())
    owners[me] = frozenset(path for path, node in _owned_fields(intent, known).items() if node.is_member)
    result = _pruned(merged(live or {}, intent, known), previous, owners, known)
    difference = compare(_owned_fields(live or {}, known), _owned_fields(result, known))
    if live is not None and not force:
        _refuse_conflicts(live, owners, me, difference)
    return managers.written(
        result, _reassigned(owners, me, difference), live, me if difference.any_change else None, now
    )


def track_update(
    live: Object | None,
    new: Object,
    *,
    manager: str,
    api_version: str,
    now: datetime,
    schema: Mapping[str, Any] | None,
    subresource: str = "",
) -> Object:
    """Return ``new`` with managedFields that credit ``manager`` with what changed since ``live`` (None: created)."""
    known = schema or {}
    me = Manager(manager, UPDATE, api_version, subresource)
    difference = compare(_owned_fields(live or {}, known), _owned_fields(new, known))
    owners = _reassigned(managers.read(live), me, difference)
    owners[me] = (owners.get(me, frozenset()) - difference.removed) | difference.modified | difference.added
    return managers.written(new, owners, live, me if difference.any_change else None, now)


def _owned_fields(obj: Object, schema: Mapping[str, Any]) -> dict[Path, Node]:
    return {path: node for path, node in fields_of(obj, schema).items() if path[:2] not in _UNOWNED}


def _owners_before_apply(live: Object | None, schema: Mapping[str, Any], api_version: str) -> Ownership:
    """Return who owns what; what was never tracked belongs to a nameless past, so that no apply changes it silently."""
    owners = managers.read(live)
    if live is not None and not owners:
        past = Manager(_BEFORE_FIRST_APPLY, UPDATE, api_version)
        owners[past] = frozenset(_owned_fields(live, schema))
    return owners


def _pruned(obj: JSON, previous: frozenset[Path], owners: Ownership, schema: Mapping[str, Any]) -> Object:
    """Remove what the manager applied last time and nobody claims now.

    An object that was there only to hold such fields goes with them, defaults in it included.
    """
    claimed = with_ancestors(path for paths in owners.values() for path in paths)
    held = with_ancestors(previous)
    stale = {
        path
        for path, node in _owned_fields(obj, schema).items()
        if path not in claimed and (path in previous or (path in held and not node.is_member))
    }
    result: Object = without(obj, stale, schema)
    return result


def _refuse_conflicts(live: Object, owners: Ownership, me: Manager, difference: Comparison) -> None:
    changed = difference.added | difference.modified
    found = [
        FieldConflict(managers.shown(live, other), described(path))
        for other, paths in owners.items()
        if other != me
        for path in sorted(paths & changed)
    ]
    if found:
        found.sort(key=lambda conflict: conflict.manager)
        raise ApplyConflictError(_conflict_message(found), found)


def _conflict_message(found: list[FieldConflict]) -> str:
    if len(found) == 1:
        return f"Apply failed with 1 conflict: {found[0].message}: {found[0].field}"
    lines: list[str] = []
    for manager in dict.fromkeys(conflict.manager for conflict in found):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {conflict.field}" for conflict in found if conflict.manager == manager]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


def _reassigned(owners: Ownership, me: Manager, difference: Comparison) -> Ownership:
    """Take from the others what changed, and from everyone what is gone."""
    changed = difference.added | difference.modified
    return {
        other: paths - difference.removed - (frozenset() if other == me else changed) for other, paths in owners.items()
    }


def _without_nulls(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
