"""HTTP for hooks and commands: servers, certificates and credentials as people's kubeconfigs name them.

The only module that knows lightkube, which reads kubeconfigs and runs their credential plug-ins. Its import costs
more than all else that a short-lived agent does at its start, so agents do without (ADR 30).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import yaml
from lightkube import ConfigError, KubeConfig
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.models import User

from reference_impl.drivers.http import KEPT, SOCKET_OPTIONS, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

_BAD = 400


class KubeconfigError(Exception):
    """The file does not say how to reach a cluster."""


class KubeconfigTransport:
    """The server that a context of a kubeconfig names (``http.Transport``)."""

    def __init__(self, path: Path, context: str = "", *, patience: float) -> None:
        """``context``: "" for the current one. ``patience``: seconds that the server may take to answer."""
        try:
            config = KubeConfig.from_file(path)
            single = config.get(context_name=context) if context else config.get()
            if single is None:
                raise KubeconfigError("no current context")
            user = single.user or User()
            transport = httpx2.AsyncHTTPTransport(
                verify=verify_cluster(single.cluster, user, single.abs_file, trust_env=False),
                trust_env=False,
                limits=httpx2.Limits(keepalive_expiry=KEPT),
                socket_options=SOCKET_OPTIONS,
            )
            self._client = httpx2.AsyncClient(
                base_url=single.cluster.server,
                auth=user_auth(user),
                timeout=httpx2.Timeout(patience),
                trust_env=False,
                transport=transport,
            )
        except (ConfigError, OSError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
            raise KubeconfigError(f"{type(error).__name__}: {error}") from None

    async def request(self, method: str, target: str, *, body: bytes = b"", content_type: str = "") -> bytes:
        """Return the answer's body."""
        with _errors():
            headers = {"Content-Type": content_type} if content_type else None
            answer = await self._client.request(method, target, content=body or None, headers=headers)
        if answer.status_code >= _BAD:
            raise RefusedError(answer.status_code, answer.content)
        return answer.content

    async def lines(self, target: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer; only its beginning is bounded in time."""
        patience = httpx2.Timeout(self._client.timeout.connect, read=None)
        with _errors():
            async with self._client.stream("GET", target, timeout=patience) as answer:
                if answer.status_code >= _BAD:
                    raise RefusedError(answer.status_code, await answer.aread())
                async for line in answer.aiter_lines():
                    yield line.encode()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


@contextmanager
def _errors() -> Iterator[None]:
    """Turn the library's errors into the seam's."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise TimeoutError(f"{type(error).__name__}: {error}") from None
    except (httpx2.HTTPError, ConfigError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None
