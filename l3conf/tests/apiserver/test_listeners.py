"""Connections to an API server stay open for as long as clients keep them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from aiohttp import web

from l3conf.emulator.apiserver.web.listeners import Listeners

if TYPE_CHECKING:
    import pytest

LONGEST = 600.0
"""Seconds: no client of ours keeps an idle connection for so long."""
PATIENCE = 60.0
"""Seconds until the connection of a client that went without a word is closed."""
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def test_a_connection_that_was_idle_for_minutes_takes_another_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="yes")

    async def story() -> None:
        loop, passed = asyncio.get_running_loop(), 0.0
        clock = loop.time
        monkeypatch.setattr(loop, "time", lambda: clock() + passed, raising=False)
        async with await loop.create_server(Listeners(answer)._server, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for _ in range(2):
                writer.write(REQUEST)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(3) == b"yes"
                await asyncio.sleep(0.05)
                passed += LONGEST
                await asyncio.sleep(0.05)
            writer.close()

    asyncio.run(story())


def test_clients_that_went_without_a_word_are_given_up_within_a_minute() -> None:
    """A node that loses power says no goodbye: each crash left the connections of all its agents open."""

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    async def story() -> list[int]:
        listeners = Listeners(answer)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # What comes in inherits from what listens: it is taken here, as asyncio would keep it to itself.
            await listeners.open([listener.dup()], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            await listeners.close()
            listener.settimeout(None)
            with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
                names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
                return [
                    accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    *(accepted.getsockopt(socket.IPPROTO_TCP, name) for name in names),
                ]

    alive, idle, between, count, unacknowledged = asyncio.run(story())
    assert alive
    assert idle + between * count <= PATIENCE
    assert 0 < unacknowledged <= PATIENCE * 1000
