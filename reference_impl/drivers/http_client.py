"""The seam to HTTP for hooks and commands, over httpx2, which runs the credentials of kubeconfigs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

from reference_impl.drivers.http import KEPT, SOCKET_OPTIONS, RefusedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Iterator

_BAD = 400


class HTTPClient:
    """One server (``http.Transport``). Nothing of the process's environment, proxies for instance, is asked."""

    def __init__(
        self,
        server: str,
        verify: ssl.SSLContext | bool,  # noqa: FBT001 - httpx's own word
        auth: httpx2.Auth | None,
        patience: float,
        auth_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        """``server``: its URL. ``patience``: seconds that it may take to accept, and to say the next thing.

        ``auth_errors``: what ``auth`` raises where it has no credential.
        """
        self._errors: tuple[type[Exception], ...] = (httpx2.HTTPError, *auth_errors)
        transport = httpx2.AsyncHTTPTransport(
            verify=verify,
            trust_env=False,
            limits=httpx2.Limits(keepalive_expiry=KEPT),
            socket_options=SOCKET_OPTIONS,
        )
        self._patience = patience
        self._client = httpx2.AsyncClient(
            base_url=server,
            auth=auth,
            timeout=httpx2.Timeout(patience),
            trust_env=False,
            transport=transport,
        )

    async def request(self, method: str, target: str, *, body: bytes = b"", content_type: str = "") -> bytes:
        """Return the answer's body. A read is tried once more where a kept connection had just been closed."""
        headers = {"Content-Type": content_type} if content_type else None
        with self._told():
            try:
                answer = await self._client.request(method, target, content=body or None, headers=headers)
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
                if method != "GET":  # asking again does no harm; writing again might (RFC 9110 section 9.2.2)
                    raise
                answer = await self._client.request(method, target, headers=headers)
        if answer.status_code >= _BAD:
            raise RefusedError(answer.status_code, answer.content, answer.headers.get("Retry-After", ""))
        return answer.content

    async def lines(self, target: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer; only its beginning is bounded in time."""
        patience = httpx2.Timeout(self._patience, read=None)
        with self._told():
            async with self._client.stream("GET", target, timeout=patience) as answer:
                if answer.status_code >= _BAD:
                    raise RefusedError(answer.status_code, await answer.aread(), answer.headers.get("Retry-After", ""))
                async for line in answer.aiter_lines():
                    yield line.encode()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the library's errors into the seam's."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise TimeoutError(f"{type(error).__name__}: {error}") from None
        except self._errors as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from None
