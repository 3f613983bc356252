"""Decoding and schemas of built-in kinds, as kube-apiserver gets them from its Go types.

Everything is found when first asked for and kept: an API server that only ever serves Pods knows only Pod's types.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas import list_rules
from l3conf.emulator.apiserver.schemas.builtin_kinds import model_name
from l3conf.emulator.apiserver.schemas.decoding import Decoded, decode_as
from l3conf.emulator.apiserver.schemas.types import Shape, TypeRef, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Decoded", "decode", "schema"]


def decode(obj: dict[str, Any]) -> Decoded:
    """Check a built-in object against its kind's fields; kinds that are not built in pass unchanged."""
    name = model_name(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    return Decoded(obj) if name is None else decode_as(obj, name)


def schema(api_version: str, kind: str) -> Mapping[str, Any] | None:
    """Return the kind's OpenAPI v3 schema; None for kinds that are not built in.

    References are resolved in place, so a type that contains itself (JSONSchemaProps) makes a cycle: walk it along a
    value, do not serialise it. Carries ``x-kubernetes-list-type``, ``-list-map-keys``, ``-map-type``,
    ``-patch-strategy`` and ``-patch-merge-key``.
    """
    name = model_name(api_version, kind)
    return None if name is None else type_schema(name)


@functools.cache
def _types() -> dict[str, dict[str, Any]]:
    return {}


def type_schema(model: str) -> Mapping[str, Any]:
    """Return the schema of a struct; the same object every time, so that types may refer to themselves."""
    known = _types()
    if model in known:
        return known[model]
    struct = list_rules.go_name(model)
    properties: dict[str, Any] = {}
    known[model] = made = {"type": "object", "properties": properties}
    if list_rules.is_atomic_type(struct):
        made["x-kubernetes-map-type"] = "atomic"
    for name, ref in fields(model).items():
        properties[name] = field_schema(struct, name, ref, type_schema)
    return made


def field_schema(struct: str, name: str, ref: TypeRef, reference: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return one property's schema; ``reference`` turns a struct's name into its schema or a reference to it."""
    made = _shape_schema(ref, reference)
    if (struct, name) in _DEFAULT_KEYS:
        made = {**made, "default": _DEFAULT_KEYS[struct, name]}
    elif ref.shape is Shape.LIST:
        made = {**made, **_list_extensions(struct, name)}
    elif ref.shape is Shape.MAP and list_rules.is_atomic_field(struct, name):
        made = {**made, "x-kubernetes-map-type": "atomic"}
    elif list_rules.keeps_only_retained(struct, name):
        made = {**made, "x-kubernetes-patch-strategy": "retainKeys"}
    elif list_rules.replaces(struct, name):
        made = {**made, "x-kubernetes-patch-strategy": "replace"}
    return made


def _list_extensions(struct: str, name: str) -> dict[str, Any]:
    rule = list_rules.list_rule(struct, name)
    if rule is None:
        return {"x-kubernetes-list-type": "atomic"}
    made: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
    if rule.applies:
        made["x-kubernetes-list-type"] = "map" if rule.keys else "set"
        if rule.keys:
            made["x-kubernetes-list-map-keys"] = list(rule.keys)
    if rule.patches:
        made["x-kubernetes-patch-strategy"] = "merge,retainKeys" if rule.retain_keys else "merge"
        if rule.keys:
            made["x-kubernetes-patch-merge-key"] = rule.keys[0]
    return made


def _shape_schema(ref: TypeRef, reference: Any) -> dict[str, Any]:  # noqa: ANN401
    if ref.shape is Shape.STRUCT:
        found: dict[str, Any] = reference(ref.model)
        return found
    if ref.shape is Shape.LIST and ref.item is not None:
        return {"type": "array", "items": _shape_schema(ref.item, reference)}
    if ref.shape is Shape.MAP and ref.item is not None:
        return {"type": "object", "additionalProperties": _shape_schema(ref.item, reference)}
    return dict(_SCALAR_SCHEMAS[ref.shape])


_DEFAULT_KEYS = {("ContainerPort", "protocol"): "TCP", ("ServicePort", "protocol"): "TCP"}
"""Keys of list items that may be left out; without their default an applied item would not find its live twin."""

_SCALAR_SCHEMAS: dict[Shape, dict[str, Any]] = {
    Shape.STRING: {"type": "string"},
    Shape.INTEGER: {"type": "integer", "format": "int32"},
    Shape.NUMBER: {"type": "number", "format": "double"},
    Shape.BOOLEAN: {"type": "boolean"},
    Shape.TIME: {"type": "string", "format": "date-time"},
    Shape.BYTES: {"type": "string", "format": "byte"},
    Shape.QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    Shape.INT_OR_STRING: {"x-kubernetes-int-or-string": True, "oneOf": [{"type": "integer"}, {"type": "string"}]},
    Shape.ANY: {"x-kubernetes-preserve-unknown-fields": True},
}
