"""Serves ``/metrics`` on the node's own address.

Decision: one page of text needs no library. ``prometheus_client`` would bring its registry, threads and WSGI into a
process whose memory is bounded, to print a few metrics that the agent holds already.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from reference_impl.drivers.tracking import read_tracking
from reference_impl.names import METRICS_PORT
from reference_impl.planner.metrics import CONTENT_TYPE, connection_metrics, tracking_metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import Count, Tracking

Counting: TypeAlias = "Callable[[], Awaitable[Mapping[str, Count]]]"
"""Reads what has passed through cables, by name of the counter."""
_LOG = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds that a client may take to ask."""
_LONGEST_REQUEST = 8192


class Metrics:
    """The last known state, for whoever asks."""

    def __init__(
        self,
        count: Counting,
        *,
        port: int = METRICS_PORT,
        alter: Callable[[str], str] = str,
        track: Callable[[], Tracking | None] = read_tracking,
    ) -> None:
        """``count`` reads what has passed through cables, each time that somebody asks: nobody else needs it.

        ``track`` reads how connection tracking fares. ``alter`` takes the page and returns what is shown of it: a
        mutant's hand.
        """
        self._count = count
        self._port = port
        self._alter = alter
        self._track = track
        self._shown: tuple[Endpoint, tuple[PeerReport, ...]] | None = None
        self._server: asyncio.Server | None = None
        self._tried = False

    @property
    def port(self) -> int:
        """Return the port that is listened on; 0 while none is."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def show(self, local: Endpoint, peers: Iterable[PeerReport]) -> None:
        """Show this from now on. The first call begins to listen; a port that is taken is logged, once."""
        self._shown = local, tuple(peers)
        if self._tried:
            return
        self._tried = True
        try:
            self._server = await asyncio.start_server(
                self._serve, str(local.private_ip), self._port, limit=_LONGEST_REQUEST
            )
        except OSError as error:
            _LOG.warning("no metrics on port %d: %s", self._port, error)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and hang up; who asks for nothing is hung up on as well."""
        try:
            with suppress(TimeoutError, ValueError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PATIENCE):
                    request = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(request.split(b" ", 2)[:2]))
                    await writer.drain()
        finally:
            writer.close()

    async def _page(self) -> str:
        if self._shown is None:
            return ""
        counts = await self._count()
        page = connection_metrics(*self._shown, counts)
        tracking = self._track()
        return self._alter(page + tracking_metrics(self._shown[0], tracking) if tracking else page)

    async def _answer(self, asked: list[bytes]) -> bytes:
        found = asked == [b"GET", b"/metrics"]
        body = (await self._page()).encode() if found else b"only GET /metrics is here\n"
        status = "200 OK" if found else "404 Not Found"
        kind = CONTENT_TYPE if found else "text/plain; charset=utf-8"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return head.encode() + body
