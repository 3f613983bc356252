"""What the API server asks of kubelets to serve ``pods/log`` and ``pods/exec``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    Write = Callable[[bytes], Awaitable[None]]


class PodAccess(Protocol):
    """All kubelets of one cluster. Methods raise ``apiserver.errors.StatusError`` (404, 400) as a kubelet would."""

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the log in pieces; with ``follow`` until the container ends."""

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: Sequence[str],
        *,
        stdin: asyncio.StreamReader | None,
        stdout: Write,
        stderr: Write,
        tty: bool = False,
    ) -> int:
        """Run a command in a container until it ends; return its exit code. 126/127 as a shell would."""
