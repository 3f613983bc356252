"""Filling in the defaults of a structural schema."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON


def defaulted(value: JSON, schema: Mapping[str, Any]) -> JSON:
    """Return ``value`` with defaults. A null that may not be null counts as missing where there is a default."""
    if isinstance(value, dict):
        return _defaulted_object(value, schema)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [defaulted(item, schema["items"]) for item in value]
    return value


def _defaulted_object(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    filled = dict(value)
    for name, sub in properties.items():
        absent = name not in filled or (filled[name] is None and sub.get("nullable") is not True)
        if absent and "default" in sub:
            filled[name] = copy.deepcopy(sub["default"])
        if name in filled:
            filled[name] = defaulted(filled[name], sub)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        filled.update({name: defaulted(sub, extra) for name, sub in filled.items() if name not in properties})
    return filled
