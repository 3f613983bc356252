"""Objects as CEL rules see them: numbers of the schema's type, property names that are identifiers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.list_sets import child_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_KEYWORDS = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escaped(name: str) -> str:
    """Return a property's name in CEL (k8s.io/apiserver/pkg/cel/escaping.go); itself if it needs no escape."""
    if name in _KEYWORDS:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda found: _ESCAPES[found[0]], name)


class Converter:
    """Converts values of one schema; remembers which parts of the schema change nothing."""

    def __init__(self) -> None:
        self._plain: dict[int, bool] = {}

    def to_cel(self, value: JSON, schema: Mapping[str, Any]) -> JSON:
        """Return ``value`` itself if the schema has neither floats nor names to escape, else a changed copy."""
        if self._is_plain(schema):
            return value
        if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, list):
            return [self.to_cel(item, schema.get("items", {})) for item in value]
        if isinstance(value, dict):
            named = schema.get("properties", {})
            return {
                escaped(name) if name in named else name: self.to_cel(child, child_schema(schema, name) or {})
                for name, child in value.items()
            }
        return value

    def _is_plain(self, schema: Mapping[str, Any]) -> bool:
        known = self._plain.get(id(schema))
        if known is None:
            below = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
            known = (
                schema.get("type") != "number"
                and all(escaped(name) == name for name in schema.get("properties", {}))
                and all(self._is_plain(sub) for sub in below if isinstance(sub, dict))
            )
            self._plain[id(schema)] = known
        return known
