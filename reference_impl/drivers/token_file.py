"""HTTP for agents: a server, one certificate authority, and a token in a file, as every pod has them (ADR 30)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx2

from reference_impl.drivers.http_client import HTTPClient

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class TokenFile(httpx2.Auth):
    """A bearer token that is read again when it is refused: kubelets and operators replace it in place."""

    def __init__(self, path: Path) -> None:
        """``OSError`` if it cannot be read."""
        self._path = path
        self._token = _read(path)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the token, and once more if the file has another one than was refused."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            refused, self._token = self._token, _read(self._path)
            if self._token != refused:
                request.headers["Authorization"] = f"Bearer {self._token}"
                yield request


def agent_client(server: str, certificate_authority: Path, token: Path, *, patience: float) -> HTTPClient:
    """Return the way to a server. ``OSError`` if a file cannot be read, ``ValueError`` for what is no URL."""
    try:
        url = httpx2.URL(server)
    except httpx2.InvalidURL as error:
        raise ValueError(f"{server!r} is not the URL of an API server: {error}") from None
    if url.scheme not in {"https", "http"} or not url.host:
        raise ValueError(f"{server!r} is not the URL of an API server")
    verify = ssl.create_default_context(cafile=str(certificate_authority)) if url.scheme == "https" else False
    return HTTPClient(server, verify, TokenFile(token), patience)


def _read(token: Path) -> str:
    return token.read_text().strip()
