"""The emulator's side of the spawner: start processes and await their ends."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from l3conf.emulator.ground.messages import ProcessEnded, SpawnReply, SpawnRequest, receive, send, widen
from l3conf.errors import LabError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence


class SpawnedProcess:
    """A process that the spawner started (``node_runtime.RunningProcess``)."""

    __slots__ = ("_ended", "pid")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Wait for the end; return the exit code as a shell has it."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if the process is gone."""
        if not self._ended.done():  # pids are reaped by the spawner first, so this one is not yet reused
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ended(self, exit_code: int) -> None:
        """Record the end (called by ``Spawner`` alone)."""
        if not self._ended.done():
            self._ended.set_result(exit_code)


class Spawner:
    """Asks the spawner process for containers. Use within one event loop."""

    def __init__(self, channel: socket.socket) -> None:
        widen(channel)
        self._channel = channel
        self._starting: dict[int, asyncio.Future[SpawnedProcess]] = {}
        self._running: dict[int, SpawnedProcess] = {}
        self._last_id = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(channel, self._on_readable)

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        network: str = "",
        join: int = 0,
        mounts: Sequence[tuple[str, str, bool]] = (),
        working_directory: str = "/",
        hostname: str = "",
        tty: bool = False,
        capabilities: Sequence[int] | None = None,
        descriptors: tuple[int, int, int],
    ) -> SpawnedProcess:
        """Start a process; see ``SpawnRequest``. Raises the ``OSError`` with which it failed to start."""
        self._last_id += 1
        request = SpawnRequest(
            id=self._last_id,
            argv=tuple(argv),
            env=dict(env),
            network=network,
            join=join,
            mounts=tuple(mounts),
            working_directory=working_directory,
            hostname=hostname,
            tty=tty,
            capabilities=None if capabilities is None else tuple(capabilities),
        )
        started: asyncio.Future[SpawnedProcess] = self._loop.create_future()
        self._starting[request.id] = started
        await self._send(request, descriptors)
        return await started

    async def _send(self, request: SpawnRequest, descriptors: tuple[int, int, int]) -> None:
        while True:
            try:
                return send(self._channel, request, descriptors)
            except BlockingIOError:
                await asyncio.sleep(0.002)  # the spawner is forking; a datagram socket has no cheaper signal

    def _on_readable(self) -> None:
        with suppress(BlockingIOError):
            while (received := receive(self._channel)) is not None:
                match received.message:
                    case SpawnReply() as reply:
                        self._on_reply(reply)
                    case ProcessEnded(pid=pid, exit_code=code):
                        if process := self._running.pop(pid, None):
                            process.ended(code)
                    case SpawnRequest():
                        raise LabError("the spawner sent a request")
            self._fail()

    def _on_reply(self, reply: SpawnReply) -> None:
        """Know the process at once: its end may be the very next message."""
        started = self._starting.pop(reply.id)
        if not reply.pid:
            started.set_exception(OSError(reply.errno, reply.message))
            return
        process = self._running[reply.pid] = SpawnedProcess(reply.pid)
        if started.cancelled():
            process.signal(signal.SIGKILL)
        else:
            started.set_result(process)

    def _fail(self) -> None:
        """Let every waiter know that the spawner is gone."""
        self._loop.remove_reader(self._channel)
        for started in self._starting.values():
            started.set_exception(LabError("the lab's spawner process has ended"))
        for process in self._running.values():
            process.ended(128 + signal.SIGKILL)
        self._starting.clear()
        self._running.clear()

    def close(self) -> None:
        """End the spawner and with it every process it started."""
        self._loop.remove_reader(self._channel)
        for process in self._running.values():
            process.signal(signal.SIGKILL)
        self._channel.close()
