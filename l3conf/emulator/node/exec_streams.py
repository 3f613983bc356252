"""The descriptors of an ``exec``, and the pumps between them and the client's streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Self

    from l3conf.emulator.pod_access import Write

PIECE = 1 << 15
DRAIN_SECONDS = 1.0
"""How long output is still read after the process has ended: its children may hold the pipes open for ever."""


class ExecStreams:
    """Pipes, or one pseudo-terminal, for one process. Use as an async context manager."""

    def __init__(self, *, stdin: asyncio.StreamReader | None, stdout: Write, stderr: Write, tty: bool) -> None:
        self._stdin = stdin
        self._sinks = {1: stdout, 2: stderr}
        self._tty = tty
        self.descriptors: tuple[int, int, int] = (-1, -1, -1)
        """What the process gets as its standard streams."""
        self._ours: dict[int, int] = {}
        self._transports: list[asyncio.BaseTransport] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._input: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            if self._tty:
                self._open_terminal()
            else:
                self._open_pipes()
            await self._connect()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        tasks = [task for task in (*self._pumps, self._input) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close()

    def started(self) -> None:
        """Let go of the process's side, so that its end is seen as the end of its output."""
        for descriptor in set(self.descriptors):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptors = (-1, -1, -1)

    async def drained(self) -> None:
        """Wait until all output has been passed on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*self._pumps, return_exceptions=True)

    def _open_pipes(self) -> None:
        if self._stdin is None:
            their_input = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        else:
            their_input, self._ours[0] = os.pipe2(os.O_CLOEXEC)
        self._ours[1], their_output = os.pipe2(os.O_CLOEXEC)
        self._ours[2], their_errors = os.pipe2(os.O_CLOEXEC)
        self.descriptors = (their_input, their_output, their_errors)

    def _open_terminal(self) -> None:
        master, slave = os.openpty()
        self._ours = {1: master}
        if self._stdin is not None:
            self._ours[0] = os.dup(master)
        self.descriptors = (slave, slave, slave)

    async def _connect(self) -> None:
        for number, descriptor in sorted(self._ours.items()):
            if number == 0:
                self._input = self._spawn(self._pump_in(await self._writer(descriptor)))
            else:
                self._pumps.append(self._spawn(_pump_out(await self._reader(descriptor), self._sinks[number])))
        self._ours.clear()

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: protocol, os.fdopen(descriptor, "rb", buffering=0)
        )
        self._transports.append(transport)
        return reader

    async def _writer(self, descriptor: int) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", buffering=0)
        )
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, None, loop)

    async def _pump_in(self, writer: asyncio.StreamWriter) -> None:
        if self._stdin is None:
            return
        with contextlib.suppress(OSError):
            while piece := await self._stdin.read(PIECE):
                writer.write(piece)
                await writer.drain()
        if not self._tty:
            writer.close()

    @staticmethod
    def _spawn(pump: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(pump)

    def _close(self) -> None:
        self.started()
        for transport in self._transports:
            transport.close()
        for descriptor in self._ours.values():
            os.close(descriptor)
        self._ours.clear()


async def _pump_out(reader: asyncio.StreamReader, sink: Write) -> None:
    """Pass output on; a terminal whose last user has gone reports an error instead of an end."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            await sink(piece)
