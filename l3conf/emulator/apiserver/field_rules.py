"""Rules for single fields that several kinds share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.schemas.field_error import invalid, not_supported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.apiserver.schemas.field_error import FieldError

PROTOCOLS = ("SCTP", "TCP", "UDP")
LAST_PORT = 65535


def choice(value: object, path: str, choices: tuple[str, ...]) -> Iterator[FieldError]:
    """Yield an error unless the value is one of ``choices``."""
    if value not in choices:
        yield not_supported(path, value, choices)


def port_number(value: object, path: str) -> Iterator[FieldError]:
    """Yield an error unless the value is a port."""
    if not isinstance(value, int) or not 1 <= value <= LAST_PORT:
        yield invalid(path, value, f"must be between 1 and {LAST_PORT}, inclusive")
