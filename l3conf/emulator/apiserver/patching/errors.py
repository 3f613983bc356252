"""Patches that cannot be applied: ``StatusError`` like every refusal, so that they need no translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError

if TYPE_CHECKING:
    from collections.abc import Iterable


class MalformedPatchError(StatusError):
    """400: the patch itself is not what its content type promises."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class InapplicablePatchError(StatusError):
    """422: the patch is well formed, but the object does not have what it refers to."""

    def __init__(self, message: str) -> None:
        super().__init__(422, "Invalid", message)


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another manager owns with another value."""

    manager: str
    """As shown: ``"kubectl" using apps/v1``."""
    field: str
    """Path from the object's root, with keys of list items: ``.spec.ports[port=80,protocol="TCP"].name``."""

    @property
    def message(self) -> str:
        """Return the sentence in the Status cause."""
        return f"conflict with {self.manager}"

    def to_cause(self) -> dict[str, str]:
        """Return the entry for ``Status.details.causes``."""
        return {"reason": "FieldManagerConflict", "message": self.message, "field": self.field}


class ApplyConflictError(StatusError):
    """409: a server-side apply without force met fields that other managers own."""

    def __init__(self, message: str, conflicts: Iterable[FieldConflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__(409, "Conflict", message, {"causes": [conflict.to_cause() for conflict in self.conflicts]})
