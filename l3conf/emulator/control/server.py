"""The emulator's end of the control socket: answers calls concurrently, each connection for itself."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from l3conf.emulator.control.framing import MAX_DESCRIPTORS, Decoder, encode, error_of
from l3conf.errors import L3confError, LabError, UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    Method = Callable[["Connection", dict[str, Any], list[int]], Awaitable[object]]


class ControlServer:
    """Listens on a Unix socket and calls ``methods[name](connection, params, descriptors)``.

    What a method started for a connection is undone by the callbacks in ``connection.on_close``: a client that
    dies leaves no cut path and no capture behind.
    """

    def __init__(self, path: Path, methods: Mapping[str, Method]) -> None:
        self._path = path
        self._methods = methods
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()

    def start(self) -> None:
        """Listen; the socket's directory must be the lab's own."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        listener.bind(str(self._path))
        listener.listen()
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    async def stop(self) -> None:
        """Stop listening and hang up on everyone, undoing what they started."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for connection in list(self._connections):
            await connection.close()

    def _accept(self) -> None:
        if self._listener is not None:
            with suppress(BlockingIOError):
                channel, _address = self._listener.accept()
                channel.settimeout(0)
                self._connections.add(Connection(channel, self._methods, self._connections.discard))


class Connection:
    """One client of the lab."""

    def __init__(
        self, channel: socket.socket, methods: Mapping[str, Method], forget: Callable[[Connection], None]
    ) -> None:
        self.on_close: list[Callable[[], Awaitable[object]]] = []
        self._channel = channel
        self._methods = methods
        self._forget = forget
        self._decoder = Decoder()
        self._descriptors: list[int] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(channel, self._on_readable)

    def _on_readable(self) -> None:
        try:
            data, descriptors, _flags, _address = socket.recv_fds(self._channel, 1 << 20, MAX_DESCRIPTORS)
            self._descriptors += descriptors
            messages = self._decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError, LabError):
            data, messages = b"", []
        if not data:
            self._loop.remove_reader(self._channel)  # at once: it stays readable
            self._start(self.close())
            return
        for message in messages:
            descriptors, self._descriptors = self._descriptors, []
            self._start(self._answer(message, descriptors))

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine of any kind
        task = self._loop.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        name = message.get("method", "")
        try:
            method = self._methods.get(name)
            if method is None:
                raise UserError(f"this lab knows no call {name!r}", remedy="use the l3conf that started it")  # noqa: TRY301
            answer: dict[str, Any] = {"result": await method(self, message.get("params") or {}, descriptors)}
        except L3confError as error:
            answer = {"error": error_of(error)}
        except Exception as error:  # noqa: BLE001 - the client must hear of it; the lab goes on
            answer = {"error": error_of(LabError(f"{type(error).__name__}: {error}", where=f"lab call {name}"))}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        async with self._sending:
            with suppress(OSError):
                await self._loop.sock_sendall(self._channel, encode({"id": message.get("id"), **answer}))

    async def close(self) -> None:
        """Undo what was started for this client, end its calls and hang up. Idempotent."""
        if self._channel.fileno() < 0:
            return
        self._loop.remove_reader(self._channel)
        while self.on_close:
            with suppress(Exception):  # undoing goes on whatever one step says
                await self.on_close.pop()()
        for task in self._calls:
            if task is not asyncio.current_task():
                task.cancel()
        self._channel.close()
        self._forget(self)
