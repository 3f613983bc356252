"""Removing the fields that a structural schema does not specify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_OBJECT_KEYS = frozenset({"apiVersion", "kind", "metadata"})
"""Belong to every resource, whether its schema names them or not; their content is not the schema's."""


def prune(obj: JSON, schema: Mapping[str, Any]) -> tuple[JSON, list[str]]:
    """Return ``obj`` without unspecified fields, and their paths (``spec.foo``, ``spec.list[0].bar``) in order."""
    unknown: list[str] = []
    return _pruned(obj, schema, "", unknown, is_resource=True), unknown


def _pruned(value: JSON, schema: Mapping[str, Any], path: str, unknown: list[str], *, is_resource: bool) -> JSON:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        return [_pruned_child(item, items, f"{path}[{i}]", unknown) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return _pruned_object(value, schema, path, unknown, is_resource=is_resource)
    return value


def _pruned_child(value: JSON, schema: Mapping[str, Any], path: str, unknown: list[str]) -> JSON:
    is_resource = schema.get("x-kubernetes-embedded-resource") is True
    return _pruned(value, schema, path, unknown, is_resource=is_resource)


def _pruned_object(
    value: dict[str, Any], schema: Mapping[str, Any], path: str, unknown: list[str], *, is_resource: bool
) -> dict[str, Any]:
    keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields") is True
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    kept: dict[str, Any] = {}
    for name, sub in value.items():
        where = f"{path}.{name}" if path else name
        if is_resource and name in _OBJECT_KEYS:
            kept[name] = sub
        elif name in properties:
            kept[name] = _pruned_child(sub, properties[name], where, unknown)
        elif isinstance(extra, dict):
            kept[name] = _pruned_child(sub, extra, where, unknown)
        elif keeps_unknown or extra is True:
            kept[name] = sub
        else:
            unknown.append(where)
    return kept
