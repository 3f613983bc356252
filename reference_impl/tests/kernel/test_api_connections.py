"""A connection to an API server whose other end is out of reach is noticed, although nobody says anything on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reference_impl.drivers.api import APIError, Resource
from reference_impl.drivers.kube_api import KubeAPI
from reference_impl.tests.kernel.sandbox import sandboxed, shell

PORT = 8080
PATIENCE = 60.0
_SILENT_WATCH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_CUT = f"""nft 'table ip cut {{
  chain input {{ type filter hook input priority 0; tcp dport {PORT} drop; tcp sport {PORT} drop; }}
}}'"""


@sandboxed
def test_a_watch_whose_packets_no_longer_get_through_ends() -> None:
    async def story(token: Path) -> None:
        begun = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_SILENT_WATCH)
            await writer.drain()
            begun.set()
            await asyncio.Event().wait()

        async def watch() -> None:
            async for _ in api.watch(Resource.NODE, "", "1"):
                pass

        api, server = (
            KubeAPI.from_parts(f"http://127.0.0.1:{PORT}", token, token),
            await asyncio.start_server(serve, "127.0.0.1", PORT),
        )
        watching = asyncio.ensure_future(watch())
        await begun.wait()
        await asyncio.to_thread(shell, _CUT)
        with pytest.raises(APIError, match="Node watch"):
            await asyncio.wait_for(watching, PATIENCE)
        server.close()
        await api.close()

    with TemporaryDirectory() as directory:
        path = Path(directory) / "token"
        path.write_text("none")
        asyncio.run(story(path))
