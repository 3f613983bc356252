"""Decoding JSON into Kubernetes' own types, with the complaints of Go's decoder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from l3conf.emulator.apiserver.schemas import formats
from l3conf.emulator.apiserver.schemas.list_rules import go_name
from l3conf.emulator.apiserver.schemas.types import Shape, TypeRef, fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding into the kind's Go type gives.

    ``obj`` lacks unknown fields and nulls. ``unknown`` holds ``unknown field "spec.foo"``, for warnings, or for a
    refusal if the client asks for strict validation. ``error`` is what Go's decoder says, or "".
    """

    obj: dict[str, Any]
    unknown: tuple[str, ...] = ()
    error: str = ""


def decode_as(obj: dict[str, Any], model: str) -> Decoded:
    """Decode a whole object whose type is ``model``, a class of the ``kubernetes`` package."""
    decoder = _Decoder()
    try:
        kept = decoder.struct(obj, model, "", "")
    except _MismatchError as error:
        return Decoded(obj, error=str(error))
    return Decoded(kept, tuple(f'unknown field "{path}"' for path in decoder.unknown))


class _MismatchError(Exception):
    """A value that the Go type cannot hold."""


class _Decoder:
    """One walk over one object. ``path`` has list positions (for unknown fields), ``place`` is Go's for errors."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, value: dict[str, JSON], model: str, path: str, keys: str) -> dict[str, JSON]:
        known = fields(model)
        kept: dict[str, JSON] = {}
        for name, sub in value.items():
            where = f"{path}.{name}" if path else name
            ref = known.get(name)
            if ref is None:
                self.unknown.append(where)
            elif sub is not None:
                kept[name] = self.value(sub, ref, where, _Place(model, f"{keys}.{name}" if keys else name))
        return kept

    def value(self, value: JSON, ref: TypeRef, path: str, place: _Place) -> JSON:
        shape = ref.shape
        if shape is Shape.STRUCT and isinstance(value, dict):
            return self.struct(value, ref.model, path, place.keys)
        if shape is Shape.LIST and isinstance(value, list) and ref.item:
            return [self.item(item, ref.item, f"{path}[{i}]", place) for i, item in enumerate(value)]
        if shape is Shape.MAP and isinstance(value, dict) and ref.item:
            item = ref.item
            return {k: self.item(v, item, f"{path}.{k}", place) for k, v in value.items()}
        check = _SCALAR_CHECKS.get(shape)
        if check is None:
            raise place.mismatch(value, ref)
        if not check(value):
            raise place.mismatch(value, ref)
        return value

    def item(self, value: JSON, ref: TypeRef, path: str, place: _Place) -> JSON:
        """Decode an item of a list or map; Go makes null the item's zero value."""
        if value is None:
            return {Shape.STRUCT: {}, Shape.STRING: ""}.get(ref.shape)
        return self.value(value, ref, path, place)


class _Place(NamedTuple):
    """Where Go says a mismatch is. A plain tuple: each field of each write has one, and hardly any is ever named."""

    model: str
    """Class of the innermost struct."""
    keys: str
    """Keys from the root, without list positions."""

    def mismatch(self, value: JSON, ref: TypeRef) -> _MismatchError:
        if special := _special_complaint(value, ref.shape):
            return _MismatchError(special)
        field = f"{go_name(self.model)}.{self.keys}"
        return _MismatchError(
            f"json: cannot unmarshal {_go_kind(value)} into Go struct field {field} of type {_go_type(ref)}"
        )


def _special_complaint(value: JSON, shape: Shape) -> str:
    """Return what types with a decoder of their own say about a string they do not like."""
    if shape is Shape.QUANTITY:
        return f"quantities must match the regular expression '{_QUANTITY}'"
    if isinstance(value, str) and shape is Shape.BYTES:
        return "illegal base64 data at input byte 0"
    if isinstance(value, str) and shape is Shape.TIME:
        text = json.dumps(value)
        return f'parsing time {text} as "2006-01-02T15:04:05Z07:00": cannot parse {text} as "2006"'
    return ""


def _go_kind(value: JSON) -> str:
    if isinstance(value, float):
        return f"number {value}"
    return {str: "string", bool: "bool", int: "number", list: "array", dict: "object"}.get(type(value), "null")


def _go_type(ref: TypeRef) -> str:
    if ref.shape is Shape.LIST and ref.item:
        return f"[]{_go_type(ref.item)}"
    if ref.shape is Shape.MAP and ref.item:
        return f"map[string]{_go_type(ref.item)}"
    return _GO_TYPES.get(ref.shape) or f"v1.{go_name(ref.model)}"


def _is_integer(value: JSON) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_quantity(value: JSON) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (isinstance(value, str) and re.match(_QUANTITY, value) is not None)


_SCALAR_CHECKS: dict[Shape, Callable[[JSON], bool]] = {
    Shape.STRING: lambda value: isinstance(value, str),
    Shape.INTEGER: _is_integer,
    Shape.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    Shape.BOOLEAN: lambda value: isinstance(value, bool),
    Shape.TIME: lambda value: isinstance(value, str) and formats.check("date-time", value),
    Shape.BYTES: lambda value: isinstance(value, str) and formats.check("byte", value),
    Shape.QUANTITY: _is_quantity,
    Shape.INT_OR_STRING: lambda value: isinstance(value, str) or _is_integer(value),
    Shape.ANY: lambda _: True,
}

_GO_TYPES = {
    Shape.STRING: "string",
    Shape.INTEGER: "int32",
    Shape.NUMBER: "float64",
    Shape.BOOLEAN: "bool",
    Shape.TIME: "v1.Time",
    Shape.BYTES: "[]uint8",
    Shape.QUANTITY: "resource.Quantity",
    Shape.INT_OR_STRING: "intstr.IntOrString",
}
