"""What a schema with ``x-kubernetes-list-type`` or ``x-kubernetes-map-type`` must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError

_LIST, _MAP, _KEYS = "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-list-map-keys"
_PLACES = ((_MAP, "object", ("atomic", "granular")), (_LIST, "array", ("atomic", "set", "map")))
_SCALARS = frozenset({"boolean", "integer", "number", "string"})


def list_problems(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Yield what is wrong with the list and map type of one schema node."""
    for extension, kind, supported in _PLACES:
        if extension in schema and schema[extension] not in supported:
            yield not_supported(f"{path}.{extension}", schema[extension], supported)
        if extension in schema and schema.get("type") != kind:
            detail = f"must be {kind} if {extension} is specified"
            yield invalid(f"{path}.type", schema.get("type", ""), detail)
    list_type = schema.get(_LIST)
    if schema.get(_KEYS) and list_type != "map":
        yield invalid(f"{path}.{_LIST}", list_type or "", f"must be map if {_KEYS} is non-empty")
    if list_type in {"map", "set"} and (schema.get("items") or {}).get("nullable") is True:
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when {_LIST} is {list_type}")
    if list_type == "map":
        yield from _map_problems(schema, path)
    if list_type == "set":
        yield from _set_problems(schema.get("items") or {}, path)


def _map_problems(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    keys = schema.get(_KEYS) or []
    items = schema.get("items") or {}
    properties = items.get("properties") or {}
    if not keys:
        yield required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
    if items.get("type") != "object":
        detail = f"must be object if parent array's {_LIST} is map"
        yield invalid(f"{path}.items.type", items.get("type", ""), detail)
    if len(set(keys)) != len(keys):
        yield invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")
    for key in keys:
        if key not in properties:
            yield invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        else:
            yield from _key_problems(key, properties[key], items, f"{path}.items.properties[{key}]")


def _key_problems(key: str, schema: Mapping[str, Any], items: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get("type") not in _SCALARS:
        detail = f"must be a scalar type if parent array's {_LIST} is map"
        yield invalid(f"{path}.type", schema.get("type", ""), detail)
    if "default" not in schema and key not in (items.get("required") or ()):
        detail = f"this property is in {_KEYS}, so it must have a default or be a required property"
        yield required(f"{path}.default", detail)
    if schema.get("nullable") is True:
        yield forbidden(f"{path}.nullable", f"this property is in {_KEYS}, so it cannot be nullable")


def _set_problems(items: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    detail = f"must be atomic as item of a list with {_LIST}=set"
    if items.get("type") == "array" and items.get(_LIST, "atomic") != "atomic":
        yield invalid(f"{path}.items.{_LIST}", items[_LIST], detail)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield invalid(f"{path}.items.{_MAP}", items.get(_MAP, ""), detail)
