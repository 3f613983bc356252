"""Client of a prober process, for an asyncio program: the lab's probes run beside its event loop, not in it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import l3conf
from l3conf.errors import LabGoneError
from l3conf.probes import control, flow_messages, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from l3conf.continuity import NumberedFlow, Position
    from l3conf.observation import Observation, Probe, Sighting

START_TIMEOUT = 10.0
"""Seconds for the process to say hello; it takes about 0.05."""
_STOP_TIMEOUT = 5.0
_CHUNK = 500
"""Probes per request: one side codes JSON while the other probes, and other requests get a word in."""


class Child(Protocol):
    """A started process, as ``subprocess.Popen`` has it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; ``subprocess.TimeoutExpired`` if that takes too long."""

    def kill(self) -> None:
        """End it; no error if it has ended."""


def launch(argv: Sequence[str], descriptor: int) -> Child:
    """Start ``argv`` with ``descriptor`` open, as a child of this process."""
    # Without `site` the interpreter starts in half the time; the one package needed is named instead.
    environment = {**os.environ, "PYTHONPATH": str(Path(l3conf.__file__).parent.parent)}
    return subprocess.Popen(argv, pass_fds=(descriptor,), stdin=subprocess.DEVNULL, env=environment)


class Prober:
    """A running prober process. All methods raise ``LabGoneError`` once it has ended."""

    def __init__(self, child: Child, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use ``start``."""
        self._child = child
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen(), name="prober replies")

    @classmethod
    async def start(
        cls, launch: Callable[[Sequence[str], int], Child] = launch, *, seconds: float = START_TIMEOUT
    ) -> Self:
        """Start a prober; it is ready when this returns, within ``seconds``.

        ``launch(argv, descriptor)`` starts the process with ``descriptor`` inherited under the same number. It
        must be called from a thread that lives as long as the prober is to live (prctl(2), PR_SET_PDEATHSIG).
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            argv = (sys.executable, "-S", "-m", "l3conf.probes.process", str(theirs.fileno()))
            child = launch(argv, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)  # noqa: FBT003 - the socket module's signature
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        prober = cls(child, reader, writer)
        try:
            await asyncio.wait_for(prober._request("hello"), seconds)
        except BaseException:
            await prober.stop()
            raise
        return prober

    async def add_place(self, place: str, namespace_path: str, *, serve: bool) -> None:
        """Let probes start at ``place``, in the network namespace behind a path that the prober can open.

        With ``serve`` it answers probes, and does so when this returns. ``LabError`` if the name or port is taken.
        """
        await self._request("add_place", place=place, namespace=namespace_path, serve=serve)

    async def remove_place(self, place: str) -> None:
        """Close everything that is open at a place; its ports are free when this returns. Idempotent."""
        await self._request("rm_place", place=place)

    async def run(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once, wait for each one's end, answer in their order."""
        chunks = [probes[start : start + _CHUNK] for start in range(0, len(probes), _CHUNK)]
        replies = []
        for chunk in chunks:
            replies.append(self._ask("run", probes=[messages.probe_to_json(probe) for probe in chunk]))
            await self._drain()
        result = []
        for chunk, reply in zip(chunks, replies, strict=True):
            for probe, value in zip(chunk, await reply, strict=True):
                result.append(messages.observation_from_json(probe, value))
        return result

    async def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what ``place`` saw of these nonces. ``LabError`` if nothing listens there."""
        values = await self._request("sightings", place=place, nonces=list(nonces))
        return [messages.sighting_from_json(value) for value in values]

    async def raw(self, place: str, packet: bytes) -> None:
        """Emit a complete IP packet from ``place``."""
        await self._request("raw", place=place, packet=base64.b64encode(packet).decode())

    async def start_flows(self, flows: Sequence[NumberedFlow]) -> None:
        """Send numbered flows, and note what arrives of them, until ``stop_flows``. ``LabError`` if one cannot be."""
        await self._request("start_flows", flows=[flow_messages.flow_to_json(flow) for flow in flows])

    async def stop_flows(self, ids: Sequence[str]) -> None:
        """Emit nothing more of these flows; what is under way is still noted. Idempotent."""
        await self._request("stop_flows", ids=list(ids))

    async def flow_records(self, positions: Sequence[Position]) -> list[dict[str, Any]]:
        """Return what both ends have recorded beyond these positions (``flow_messages.record_from_json``)."""
        values: list[dict[str, Any]] = await self._request("flows", positions=positions)
        return values

    async def forget_flows(self, ids: Sequence[str]) -> None:
        """Stop flows and drop their records. Idempotent."""
        await self._request("forget_flows", ids=list(ids))

    async def wait_gone(self) -> None:
        """Wait until the process has ended, however that came about."""
        await asyncio.wait([self._listening])

    async def stop(self) -> None:
        """End the process. Idempotent."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        await self.wait_gone()
        try:
            await asyncio.to_thread(self._child.wait, _STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)

    async def _request(self, do: str, **arguments: object) -> Any:  # noqa: ANN401 - a JSON value
        reply = self._ask(do, **arguments)
        await self._drain()
        return await reply

    def _ask(self, do: str, **arguments: object) -> asyncio.Future[Any]:
        if self._listening.done() or self._writer.is_closing():
            raise LabGoneError("the prober process has ended")
        number = next(self._numbers)
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(control.frame({"id": number, "do": do, **arguments}))
        return reply

    async def _drain(self) -> None:
        with suppress(ConnectionError):  # the reply's future tells it
            await self._writer.drain()

    async def _listen(self) -> None:
        buffer = bytearray()
        try:
            while data := await self._reader.read(1 << 18):
                buffer += data
                for value in control.cut(buffer):
                    self._settle(value)
        except (OSError, ValueError):
            pass  # told below to everyone who waits
        finally:
            for reply in self._waiting.values():
                if not reply.done():
                    reply.set_exception(LabGoneError("the prober process has ended"))
                    reply.exception()  # a caller that has given up is no "exception never retrieved"
            self._waiting.clear()

    def _settle(self, value: dict[str, Any]) -> None:
        reply = self._waiting.pop(value["id"])
        if reply.done():
            return
        if "error" in value:
            reply.set_exception(control.error_from_json(value["error"]))
            reply.exception()
        else:
            reply.set_result(value["result"])
