"""HTTP for agents: a server, one certificate authority, and a token in a file, as every pod has them (ADR 30).

Over httpcore2 itself: of what httpx2 adds, sessions, cookies, codings and the merging of URLs, an agent uses nothing,
and every one of them pays for it with a third of the CPU of its start and of each request.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpcore2

from reference_impl.drivers.http import KEPT, SOCKET_OPTIONS, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

_BAD, _UNAUTHORIZED = 400, 401
_CONNECTIONS = 100
"""Every watch holds one."""
_FOR_LATER = 20
_AGENT = b"submariner-reference"


class AgentHTTP:
    """One server (``http.Transport``), and a bearer token: kubelets and operators replace its file in place."""

    def __init__(self, server: str, certificate_authority: Path, token: Path, patience: float) -> None:
        """``patience``: seconds that the server may take to accept, and to say the next thing.

        ``OSError`` if a file cannot be read, ``ValueError`` for what is no URL.
        """
        parts = urlsplit(server)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError(f"{server!r} is not the URL of an API server")
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._file = token
        self._token = _read(token)
        secure = parts.scheme == "https"
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=str(certificate_authority)) if secure else None,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_FOR_LATER,
            keepalive_expiry=KEPT,
            socket_options=SOCKET_OPTIONS,
        )
        self._bounded = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), patience)}
        self._watching = {"timeout": {**self._bounded["timeout"], "read": None}}

    async def request(self, method: str, target: str, *, body: bytes = b"", content_type: str = "") -> bytes:
        """Return the answer's body. A read is tried once more where a kept connection had just been closed."""
        with _told():
            try:
                answer = await self._ask(method, target, body, content_type)
            except (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError):
                if method != "GET":  # asking again does no harm; writing again might (RFC 9110 section 9.2.2)
                    raise
                answer = await self._ask(method, target, body, content_type)
            if answer.status == _UNAUTHORIZED and self._has_another_token():
                answer = await self._ask(method, target, body, content_type)
        if answer.status >= _BAD:
            raise _refusal(answer, answer.content)
        return answer.content

    async def lines(self, target: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer; only its beginning is bounded in time."""
        with _told():
            for may_repeat in (True, False):
                async with self._pool.stream(
                    "GET", self._url(target), headers=self._headers(), extensions=self._watching
                ) as answer:
                    if answer.status == _UNAUTHORIZED and may_repeat and self._has_another_token():
                        continue
                    if answer.status >= _BAD:
                        raise _refusal(answer, await answer.aread())
                    rest = b""
                    async for chunk in answer.aiter_stream():
                        *whole, rest = (rest + chunk).split(b"\n")
                        for line in whole:
                            yield line
                    return

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _ask(self, method: str, target: str, body: bytes, content_type: str) -> httpcore2.Response:
        headers = self._headers(content_type)
        return await self._pool.request(
            method, self._url(target), headers=headers, content=body or None, extensions=self._bounded
        )

    def _url(self, target: str) -> httpcore2.URL:
        return httpcore2.URL(scheme=self._scheme, host=self._host, port=self._port, target=self._prefix + target)

    def _headers(self, content_type: str = "") -> list[tuple[bytes, bytes]]:
        told = [(b"Accept", b"application/json"), (b"User-Agent", _AGENT), (b"Authorization", b"Bearer " + self._token)]
        return [*told, (b"Content-Type", content_type.encode())] if content_type else told

    def _has_another_token(self) -> bool:
        """Read the token again; say whether it is another one than was refused."""
        refused, self._token = self._token, _read(self._file)
        return self._token != refused


def _refusal(answer: httpcore2.Response, body: bytes) -> RefusedError:
    after = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
    return RefusedError(answer.status, body, after.decode("latin-1"))


@contextmanager
def _told() -> Iterator[None]:
    """Turn the library's errors into the seam's."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise TimeoutError(f"{type(error).__name__}: {error}") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


def _read(token: Path) -> bytes:
    return token.read_text().strip().encode()
