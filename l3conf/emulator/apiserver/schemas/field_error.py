"""One field that an API server refuses, worded as kube-apiserver words it (apimachinery ``field.Error``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.schemas.json_value import JSON


NO_FIELD = "<nil>"
"""How Go prints the path of an error that belongs to no single field."""


class FieldReason(StrEnum):
    """The ``reason`` of a Status cause."""

    REQUIRED = "FieldValueRequired"
    INVALID = "FieldValueInvalid"
    TYPE_INVALID = "FieldValueTypeInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    DUPLICATE = "FieldValueDuplicate"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"


@dataclass(frozen=True, slots=True)
class FieldError:
    """A refused field: ``path`` as in ``spec.subnets[0]``, ``message`` without the path."""

    path: str
    reason: FieldReason
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def to_cause(self) -> dict[str, str]:
        """Return the entry for ``Status.details.causes``."""
        return {"reason": self.reason.value, "message": self.message, "field": self.path}


def aggregate(errors: Iterable[FieldError]) -> str:
    """Join errors as kube-apiserver does: one bare, several as ``[a, b]``, duplicates once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def required(path: str, detail: str = "") -> FieldError:
    """Return the error for a field that must be there."""
    return FieldError(path, FieldReason.REQUIRED, _detailed("Required value", detail))


def invalid(path: str, value: JSON, detail: str) -> FieldError:
    """Return the error for a value out of bounds; ``value`` is shown."""
    return FieldError(path, FieldReason.INVALID, _detailed(f"Invalid value: {shown(value)}", detail))


def type_invalid(path: str, value: JSON, detail: str) -> FieldError:
    """Return the error for a value of the wrong JSON type."""
    return FieldError(path, FieldReason.TYPE_INVALID, _detailed(f"Invalid value: {shown(value)}", detail))


def not_supported(path: str, value: JSON, supported: Iterable[Any]) -> FieldError:
    """Return the error for a value that is none of ``supported``."""
    choices = ", ".join(shown(choice) for choice in supported)
    detail = f"supported values: {choices}" if choices else ""
    return FieldError(path, FieldReason.NOT_SUPPORTED, _detailed(f"Unsupported value: {shown(value)}", detail))


def duplicate(path: str, value: JSON) -> FieldError:
    """Return the error for a list item that is there twice."""
    return FieldError(path, FieldReason.DUPLICATE, f"Duplicate value: {shown(value)}")


def forbidden(path: str, detail: str) -> FieldError:
    """Return the error for a field that must not be set or changed."""
    return FieldError(path, FieldReason.FORBIDDEN, _detailed("Forbidden", detail))


def too_long(path: str, limit: int) -> FieldError:
    """Return the error for a string longer than ``limit`` bytes; the value itself is not shown."""
    return FieldError(path, FieldReason.TOO_LONG, f"Too long: may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    """Return the error for a list or map with more than ``limit`` entries."""
    items = "item" if limit == 1 else "items"
    return FieldError(path, FieldReason.TOO_MANY, f"Too many: {actual}: must have at most {limit} {items}")


def shown(value: JSON) -> str:
    """Return a value as Go prints it in a field error: strings quoted, objects as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _detailed(head: str, detail: str) -> str:
    return f"{head}: {detail}" if detail else head
