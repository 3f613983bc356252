"""Sockets, possibly in several network namespaces, served by one handler."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

_KEPT = 3600.0
"""Seconds until an idle connection is closed: later than any client gives one up. A loop that serves twenty clusters
can be busy for a second, and would then close a connection on which a request has just come in."""
_GRACE = 0.05
"""Seconds that open requests get to finish when the server stops."""
_SILENT = 15
"""Seconds without a packet after which a client is asked whether it still lives, and between such questions."""
_QUESTIONS = 3
"""Unanswered ones after which its connection is closed. A node without power takes no leave, and a watch of which
nothing comes would else be kept for the two hours of tcp(7)."""


class Listeners:
    """The listening side of one API server."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._server = web.Server(handler, access_log=None, keepalive_timeout=_KEPT, handler_cancellation=True)
        self._listening: list[asyncio.Server] = []

    async def open(self, sockets: Sequence[socket.socket], context: ssl.SSLContext) -> None:
        """Serve sockets that are bound and listening; they are this object's from now on."""
        loop = asyncio.get_running_loop()
        for listener in sockets:
            listener.setblocking(False)  # noqa: FBT003 - socket's signature
            _ask_the_silent(listener)
            self._listening.append(
                await loop.create_server(self._server, sock=listener, ssl=context, ssl_shutdown_timeout=_GRACE / 2)
            )

    async def close(self) -> None:
        """Stop listening and end all connections, at once but for a short grace."""
        for listening in self._listening:
            listening.close()
        self._listening.clear()
        transports = [transport for connection in self._server.connections if (transport := connection.transport)]
        await self._server.shutdown(_GRACE)
        if transports:
            await asyncio.sleep(_GRACE)  # clients that answer TLS's close_notify do so in this time
        for transport in transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()


def _ask_the_silent(listener: socket.socket) -> None:
    """Have connections that come in be given up where the other end has gone; they inherit a listener's options."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _SILENT),
        (socket.TCP_KEEPINTVL, _SILENT),
        (socket.TCP_KEEPCNT, _QUESTIONS),
        # Packets on the way put keepalives off (tcp(7)): what nobody acknowledges ends a connection just as soon.
        (socket.TCP_USER_TIMEOUT, _SILENT * (_QUESTIONS + 1) * 1000),
    ):
        listener.setsockopt(socket.IPPROTO_TCP, option, value)
