"""``pods/log`` and ``pods/exec``: bytes between a client and a kubelet.

Exec speaks ``v4.channel.k8s.io`` and ``v5.channel.k8s.io`` over WebSocket (KEP-4006): binary messages whose first
byte is a channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.web import queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from l3conf.emulator.apiserver.web.context import Call
    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.pod_access import PodAccess, Write

logger = logging.getLogger(__name__)

STDIN, STDOUT, STDERR, ERROR, _RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
MESSAGE_LIMIT = 32 << 20


async def serve_logs(call: Call, pods: PodAccess) -> web.StreamResponse:
    """Stream a container's log as plain text; what is wrong with the request is known before the first byte."""
    query = call.request.query
    pieces = pods.logs(
        call.target.namespace,
        call.target.name,
        query.get("container") or None,
        follow=queries.flag(query, "follow"),
        previous=queries.flag(query, "previous"),
        tail_lines=queries.number(query, "tailLines"),
    )
    left = queries.number(query, "limitBytes")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    first = await _first(pieces)
    await response.prepare(call.request)
    try:
        if first is not None:
            await _write_log(response, first, pieces, left)
        await response.write_eof()
    finally:
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()
    return response


async def _first(pieces: AsyncIterator[bytes]) -> asyncio.Task[bytes | None] | None:
    """Begin to read; return the read if it has nothing to say yet, so that a quiet log is answered at once."""

    async def read() -> bytes | None:
        return await anext(pieces, None)

    task = asyncio.ensure_future(read())
    done, _ = await asyncio.wait({task}, timeout=0.05)
    if done and task.exception() is not None:
        raise task.exception() or RuntimeError
    return task


async def _write_log(
    response: web.StreamResponse, first: asyncio.Task[bytes | None], pieces: AsyncIterator[bytes], left: int | None
) -> None:
    try:
        piece = await first
        while piece is not None:
            await response.write(piece if left is None else piece[:left])
            if left is not None and (left := left - len(piece)) <= 0:
                return
            piece = await anext(pieces, None)
    finally:
        if not first.done():
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first


class ExecStreams:
    """All exec sessions of one server, so that they can end together."""

    def __init__(self) -> None:
        self._open: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """End all sessions."""
        for socket in tuple(self._open):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await asyncio.wait_for(socket.close(), 0.05)

    async def serve(self, call: Call, pods: PodAccess) -> web.StreamResponse:
        """Run a command in a container for a WebSocket client."""
        if call.request.headers.get("Upgrade", "").lower() != "websocket":
            raise errors.bad_request("exec is served over WebSocket: Upgrade request required")
        argv = call.request.query.getall("command", [])
        if not argv:
            raise errors.bad_request("you must specify a command for the container")
        socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=MESSAGE_LIMIT)
        await socket.prepare(call.request)
        self._open.add(socket)
        try:
            await _Session(call, pods, socket).run(argv)
        finally:
            self._open.discard(socket)
        return socket


class _Session:
    """One exec."""

    def __init__(self, call: Call, pods: PodAccess, socket: web.WebSocketResponse) -> None:
        self._call = call
        self._pods = pods
        self._socket = socket
        self._stdin = asyncio.StreamReader() if queries.flag(call.request.query, "stdin") else None

    async def run(self, argv: list[str]) -> None:
        """Run to the command's end, or the client's."""
        command = asyncio.ensure_future(self._exec(argv))
        incoming = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({command, incoming}, return_when=asyncio.FIRST_COMPLETED)
            if command.done():
                await self._send(ERROR, json.dumps(command.result()).encode())
        finally:
            for task in (command, incoming):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await task
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._socket.close()

    async def _exec(self, argv: list[str]) -> Object:
        target, query = self._call.target, self._call.request.query
        try:
            code = await self._pods.exec(
                target.namespace,
                target.name,
                query.get("container") or None,
                argv,
                stdin=self._stdin,
                stdout=self._writer(STDOUT, wanted=queries.flag(query, "stdout")),
                stderr=self._writer(STDERR, wanted=queries.flag(query, "stderr")),
                tty=queries.flag(query, "tty"),
            )
        except errors.StatusError as error:
            return error.to_status()
        except ConnectionError:
            return {}
        except Exception as error:
            logger.exception("exec in %s/%s", target.namespace, target.name)
            return errors.internal(str(error)).to_status()
        return exit_status(code)

    def _writer(self, channel: int, *, wanted: bool) -> Write:
        async def write(data: bytes) -> None:
            if wanted and data:
                await self._send(channel, data)

        return write

    async def _send(self, channel: int, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes((channel,)) + data)

    async def _receive(self) -> None:
        """Feed stdin until the client closes it (v5: message 255, 0) or leaves."""
        async for message in self._socket:
            data = message.data
            if message.type is not WSMsgType.BINARY or not data or self._stdin is None:
                continue
            if data[0] == STDIN:
                self._stdin.feed_data(data[1:])
            elif data[0] == CLOSE and data[1:2] == bytes((STDIN,)):
                self._stdin.feed_eof()
        if self._stdin is not None:
            self._stdin.feed_eof()


def exit_status(code: int) -> Object:
    """Return the Status that tells a client how a command ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
