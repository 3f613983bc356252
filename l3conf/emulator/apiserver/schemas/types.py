"""Kubernetes' own types as values: which field holds a string, a list of structs, a quantity …."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.schemas.list_rules import go_name
from l3conf.emulator.apiserver.schemas.model_source import model

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shape(Enum):
    """What JSON a field takes."""

    STRING = auto()
    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    TIME = auto()
    BYTES = auto()
    QUANTITY = auto()
    INT_OR_STRING = auto()
    ANY = auto()
    LIST = auto()
    MAP = auto()
    STRUCT = auto()


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A field's type; ``item`` for lists and maps, ``model`` (class of the ``kubernetes`` package) for structs."""

    shape: Shape
    item: TypeRef | None = None
    model: str = ""


@functools.cache
def fields(model_name: str) -> Mapping[str, TypeRef]:
    """Return the fields of a struct by JSON name."""
    struct = go_name(model_name)
    return {name: _typed(struct, name, text) for name, text in model(model_name).types.items()}


def _typed(struct: str, field: str, text: str) -> TypeRef:
    if (struct, field) in _BYTES:
        return TypeRef(Shape.MAP, TypeRef(Shape.BYTES)) if "ict" in text else TypeRef(Shape.BYTES)
    parsed = _parsed(text)
    if field in _QUANTITIES and parsed == TypeRef(Shape.MAP, TypeRef(Shape.STRING)):
        return TypeRef(Shape.MAP, TypeRef(Shape.QUANTITY))
    if field in _QUANTITY_FIELDS and parsed.shape is Shape.STRING:
        return TypeRef(Shape.QUANTITY)
    if field in _INT_OR_STRINGS and parsed.shape is Shape.ANY:
        return TypeRef(Shape.INT_OR_STRING)
    return parsed


@functools.cache
def _parsed(text: str) -> TypeRef:
    """Read the generator's notation, whose brackets differ between its generations."""
    if found := re.fullmatch(r"[Ll]ist\[(.+)\]", text):
        return TypeRef(Shape.LIST, _parsed(found[1]))
    if found := re.fullmatch(r"[Dd]ict[\[(]str, (.+)[\])]", text):
        return TypeRef(Shape.MAP, _parsed(found[1]))
    return TypeRef(_SCALARS[text]) if text in _SCALARS else TypeRef(Shape.STRUCT, model=text)


_SCALARS = {
    "str": Shape.STRING,
    "int": Shape.INTEGER,
    "float": Shape.NUMBER,
    "bool": Shape.BOOLEAN,
    "datetime": Shape.TIME,
    "bytes": Shape.BYTES,
    "object": Shape.ANY,
}

_BYTES = {("Secret", "data"), ("ConfigMap", "binaryData")}
"""Older generations of the package call these strings."""
_QUANTITIES = {"limits", "requests", "capacity", "allocatable", "hard", "used", "overhead", "allocatedResources"} | {
    "default",
    "defaultRequest",
    "max",
    "maxLimitRequestRatio",
    "min",
}
"""Maps whose values are quantities, which the package calls strings but which may be numbers in JSON."""
_QUANTITY_FIELDS = {"sizeLimit", "divisor"}
_INT_OR_STRINGS = {"port", "targetPort", "maxUnavailable", "maxSurge", "minAvailable"}
