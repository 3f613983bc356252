"""Strategic merge patch: JSON merge patch plus merge keys and directives, for built-in kinds.

Which lists merge, and by which key, stands in the schema as ``x-kubernetes-patch-strategy`` and
``x-kubernetes-patch-merge-key``. Directives inside a patch: ``$patch`` (replace, delete, merge), ``$retainKeys``,
``$deleteFromPrimitiveList/<list>`` and ``$setElementOrder/<list>``. They never reach the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.patching.element_order import by_key, ordered
from l3conf.emulator.apiserver.patching.errors import MalformedPatchError
from l3conf.emulator.apiserver.schemas.list_sets import child_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"
_STRATEGY, _MERGE_KEY = "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key"


def strategic_merge_patch(
    original: dict[str, Any], patch: dict[str, Any], schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return ``original`` changed by ``patch``; both stay as they are.

    ``schema`` is the kind's (``builtin.schema``); without it every list is replaced, as in a JSON merge patch.
    Raises MalformedPatchError for directives that make no sense and for items that lack their merge key.
    """
    return _merged_object(original, patch, schema or {})


def _merged_object(original: Mapping[str, Any], patch: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get(_PATCH, "merge")
    if directive == "replace":
        return _merged_object({}, {key: value for key, value in patch.items() if key != _PATCH}, schema)
    if directive == "delete":
        return {}
    if directive != "merge":
        raise MalformedPatchError(
            f"unable to find patch directive in {directive}: Unknown patch type found: {directive}"
        )
    merged = _retained(original, patch)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged_field(merged.get(key), value, child_schema(schema, key) or {}, _order_for(patch, key))
    _apply_bare_directives(merged, patch, schema)
    return merged


def _merged_field(original: JSON, value: JSON, schema: Mapping[str, Any], order: list[JSON] | None) -> JSON:
    strategies = schema.get(_STRATEGY, "").split(",")
    if isinstance(value, dict):
        before = original if isinstance(original, dict) and "replace" not in strategies else {}
        return _merged_object(before, value, schema)
    if isinstance(value, list):
        if "merge" in strategies:
            return _merged_list(original if isinstance(original, list) else [], value, schema, order)
        return [_without_directives(item) for item in value]
    return value


def _merged_list(
    original: list[JSON], patch: list[JSON], schema: Mapping[str, Any], order: list[JSON] | None
) -> list[JSON]:
    key = schema.get(_MERGE_KEY, "")
    if not key:
        merged = original + [item for item in dict.fromkeys(patch) if item not in original]
        return ordered(merged, patch if order is None else order, original, by_key(key))
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [_without_directives(item) for item in patch if item.get(_PATCH) != "replace"]
    merged = list(original)
    for item in patch:
        _merge_item(merged, item, key, schema.get("items", {}))
    kept = [item for item in patch if item.get(_PATCH) != "delete"]
    return ordered(merged, kept if order is None else order, original, by_key(key))


def _merge_item(merged: list[JSON], item: JSON, key: str, schema: Mapping[str, Any]) -> None:
    """Merge one item of a patch into the list, in place."""
    if not isinstance(item, dict) or key not in item:
        raise MalformedPatchError(f"map: {item} does not contain declared merge key: {key}")
    matches = [i for i, other in enumerate(merged) if isinstance(other, dict) and other.get(key) == item[key]]
    if item.get(_PATCH) == "delete":
        for position in reversed(matches):
            del merged[position]
    elif matches:
        merged[matches[0]] = _merged_object(merged[matches[0]], item, schema)
    else:
        merged.append(_merged_object({}, item, schema))


def _retained(original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the original without the keys that ``$retainKeys`` does not list."""
    if _RETAIN not in patch:
        return dict(original)
    keys = patch[_RETAIN]
    if not isinstance(keys, list):
        raise MalformedPatchError(f"{_RETAIN} must be a list of keys")
    if strays := [key for key in patch if not key.startswith("$") and patch[key] is not None and key not in keys]:
        raise MalformedPatchError(f"{_RETAIN} directive must contain every key of the patch: {', '.join(strays)}")
    return {key: value for key, value in original.items() if key in keys}


def _apply_bare_directives(merged: dict[str, Any], patch: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Apply deletions from primitive lists, and orders for lists that the patch does not otherwise touch."""
    for directive, content in patch.items():
        name = directive.partition("/")[2]
        live = merged.get(name)
        if not isinstance(live, list) or not isinstance(content, list):
            continue
        if directive.startswith(_DELETE):
            merged[name] = live = [item for item in live if item not in content]
        if directive.startswith(_ORDER) and name not in patch:
            key = (child_schema(schema, name) or {}).get(_MERGE_KEY, "")
            merged[name] = ordered(live, content, live, by_key(key))


def _order_for(patch: Mapping[str, Any], key: str) -> list[JSON] | None:
    order = patch.get(f"{_ORDER}{key}")
    return order if isinstance(order, list) else None


def _without_directives(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {k: _without_directives(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_without_directives(item) for item in value]
    return value
