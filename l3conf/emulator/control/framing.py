"""Frames of the control socket: a 4-byte big-endian length, then JSON; descriptors may ride on a frame's first byte.

A call is ``{"id", "method", "params"}``; its answer ``{"id", "result"}`` or ``{"id", "error": {what, where,
remedy, kind}}`` with kind ``user`` or ``lab``.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from l3conf.errors import L3confError, LabError, UserError

MAX_FRAME = 64 << 20
MAX_DESCRIPTORS = 3
_LENGTH = struct.Struct(">I")


def encode(message: dict[str, Any]) -> bytes:
    """Return the frame of one message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Collects bytes and gives whole messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Add received bytes; return the messages that they complete. ``LabError`` for an impossible length."""
        self._pending += data
        messages = []
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            if length > MAX_FRAME:
                raise LabError(f"a frame of {length} bytes on the control socket")
            end = _LENGTH.size + length
            if len(self._pending) < end:
                break
            messages.append(json.loads(bytes(self._pending[_LENGTH.size : end])))
            del self._pending[:end]
        return messages


def error_of(error: L3confError) -> dict[str, str]:
    """Describe an error for the other side."""
    kind = "user" if isinstance(error, UserError) else "lab"
    return {"what": error.what, "where": error.where, "remedy": error.remedy, "kind": kind}


def raise_error(error: dict[str, str]) -> None:
    """Raise what the other side described."""
    kind = UserError if error.get("kind") == "user" else LabError
    raise kind(error.get("what", "unknown error"), where=error.get("where", ""), remedy=error.get("remedy", ""))
