"""What a stub engine is made of: containers, networks, commands, and what the daemon refuses."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

_HEAD = struct.Struct("!BxxxI")


class Refusal(Exception):  # noqa: N818 - it is an answer
    """What the daemon answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(slots=True)
class StubContainer:
    name: str
    config: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(32))
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: bool = False
    paused: bool = False

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.config.get("Labels") or {})


@dataclass(slots=True)
class StubNetwork:
    name: str
    body: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(32))
    taken: set[str] = field(default_factory=set)

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.body.get("Labels") or {})

    @property
    def pools(self) -> list[dict[str, str]]:
        return list((self.body.get("IPAM") or {}).get("Config") or ())


@dataclass(slots=True)
class Command:
    """A command in a container, as the test's handler is given it."""

    container: str
    argv: list[str]
    stream: socket.socket | None = None
    """For handlers that speak both ways; stdout frames are theirs to send then."""

    @property
    def script(self) -> str:
        """The script of ``sh -c``, or nothing."""
        return self.argv[2] if self.argv[:2] == ["sh", "-c"] else ""


def frame(channel: int, data: bytes) -> bytes:
    return _HEAD.pack(channel, len(data)) + data
