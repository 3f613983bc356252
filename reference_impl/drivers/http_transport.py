"""HTTP for agents (ADR 30): connections that are kept, a token from a file, TLS by one certificate authority."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reference_impl.drivers.http import KEPT, RefusedError
from reference_impl.drivers.http_connection import Connection
from reference_impl.names import MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

_BAD = 400
_UNAUTHORIZED = 401
_PORTS = {"https": 443, "http": 80}


class HTTPTransport:
    """A server that knows us by a token (``http.Transport``)."""

    def __init__(self, server: str, certificate_authority: Path, token: Path, *, patience: float) -> None:
        """``server``: its URL. ``patience``: seconds until a connection stands, and until an answer is complete.

        ``OSError`` if a file cannot be read, ``ValueError`` for what is no URL.
        """
        url = urlsplit(server)
        if url.scheme not in _PORTS or not url.hostname:
            raise ValueError(f"{server!r} is not the URL of an API server")
        self._host, self._port = url.hostname, url.port or _PORTS[url.scheme]
        self._named = url.netloc.rpartition("@")[2]
        self._prefix = url.path.rstrip("/")
        encrypted = url.scheme == "https"
        self._tls = ssl.create_default_context(cafile=str(certificate_authority)) if encrypted else None
        self._token_file = token
        self._token = _read(token)
        self._patience = patience
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()

    async def request(self, method: str, target: str, *, body: bytes = b"", content_type: str = "") -> bytes:
        """Return the answer's body."""
        async with asyncio.timeout(self._patience), self._answer(method, target, body, content_type) as connection:
            return b"".join([chunk async for chunk in connection.body()])

    async def lines(self, target: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer; only its beginning is bounded in time."""
        rest = b""
        async with self._answer("GET", target, b"", "") as connection, aclosing(connection.body()) as chunks:
            async for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
                for line in whole:
                    yield line

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._busy:
            connection.drop()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))

    @asynccontextmanager
    async def _answer(self, method: str, target: str, body: bytes, content_type: str) -> AsyncIterator[Connection]:
        """Send a request; the answer's body is to be read inside. What was not read to its end is not used again."""
        connection = None
        try:
            async with asyncio.timeout(self._patience):
                connection, status = await self._sent(method, target, body, content_type)
                if status == _UNAUTHORIZED and self._renewed():
                    connection.drop()
                    self._busy.discard(connection)
                    connection, status = await self._sent(method, target, body, content_type)
                if status >= _BAD:
                    raise RefusedError(status, b"".join([chunk async for chunk in connection.body()]))
            yield connection
        finally:
            if connection is not None:
                self._put_back(connection)

    async def _sent(self, method: str, target: str, body: bytes, content_type: str) -> tuple[Connection, int]:
        """Send on a connection that is free, or on a new one; a server may just have closed one that was free."""
        headers = [
            ("Host", self._named),
            ("User-Agent", MANAGED_BY),
            ("Accept", "application/json"),
            ("Authorization", f"Bearer {self._token}"),
        ]
        if body:
            headers += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        while True:
            free = self._free()
            connection = free or await Connection.open(self._host, self._port, self._tls)
            self._busy.add(connection)
            try:
                return connection, await connection.send(method, self._prefix + target, headers, body)
            except BaseException as error:
                connection.drop()
                self._busy.discard(connection)
                # Asking again does no harm; writing again might (RFC 9110 section 9.2.2).
                if not (free and method == "GET" and isinstance(error, ConnectionError)):
                    raise

    def _free(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and now - connection.idle_since < KEPT:
                return connection
            connection.drop()
        return None

    def _put_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.is_usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.drop()

    def _renewed(self) -> bool:
        """Read the token again; say whether it is another one."""
        before, self._token = self._token, _read(self._token_file)
        return self._token != before


def _read(token: Path) -> str:
    return token.read_text().strip()
