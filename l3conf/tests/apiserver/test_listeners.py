"""Connections to an API server stay open for as long as clients keep them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from l3conf.emulator.apiserver.web.listeners import Listeners

if TYPE_CHECKING:
    import pytest

LONGEST = 600.0
"""Seconds: no client of ours keeps an idle connection for so long."""
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
