"""The seam to HTTP: requests with one answer, and answers that are read line by line as they come."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000),
)
"""A connection whose other end is out of reach is given up after 4 s. A watch may say nothing for minutes, and one from
an address that the node no longer has never says anything again (RFC 1122 section 4.2.3.6, RFC 5482)."""
KEPT = 60.0
"""Seconds for which a connection that is not used is kept; API servers keep it for longer. What is said every 5 s needs
no handshake each time, which would cost more than all that is said."""


class RefusedError(Exception):
    """The server answered with a status of 400 or above. Nothing of the request is in here: it has a token."""

    def __init__(self, code: int, body: bytes, retry_after: str = "") -> None:
        """``retry_after``: the header; what is no number of seconds is ignored, and an hour is enough."""
        super().__init__(f"HTTP {code}")
        self.code = code
        self.body = body
        self.retry_after = min(float(retry_after), 3600.0) if retry_after.isascii() and retry_after.isdigit() else 0.0


class Transport(Protocol):
    """One server. Methods raise ``RefusedError``, and ``OSError`` where there was no (whole) answer."""

    async def request(self, method: str, target: str, *, body: bytes = b"", content_type: str = "") -> bytes:
        """Return the answer's body. ``target``: path and query, encoded."""

    def lines(self, target: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer to GET, without their ends, as they come."""

    async def close(self) -> None:
        """Close all connections."""
