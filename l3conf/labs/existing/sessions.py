"""Conversations with the probe servers in pods, one ``pods/exec`` each (``probes.relay``).

Requests and replies are lines; many may be under way at once, from any thread. A stream that broke, as load balancers
do to quiet ones, is opened again at the next request; what was under way is lost and says so.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Protocol

import websocket

from l3conf.errors import LabError
from l3conf.probes import control

if TYPE_CHECKING:
    from collections.abc import Callable

_STDIN, _STDOUT, _STDERR, _ERROR = range(4)
"""Channels of ``v4.channel.k8s.io``: the first byte of each message."""
COMMAND = ("python3", "-m", "l3conf.probes.agent", "relay")
_CHUNK = 1 << 15
"""Bytes of a message: proxies on the way may have small buffers."""
_LONGEST_ERROR = 500


class Stream(Protocol):
    """A WebSocket, as far as it is used here."""

    def send_binary(self, payload: bytes) -> int:
        """Send one message."""

    def recv(self) -> str | bytes:
        """Wait for a message; empty when the other end has closed."""

    def close(self, *, timeout: float) -> None:
        """Close it; wait for the other end to say that it has closed for so many seconds."""


class PodSession:
    """One probe server. ``open_stream`` starts its relay and raises ``LabError`` where that is refused."""

    def __init__(self, place: str, open_stream: Callable[[], Stream], *, patience: float) -> None:
        """``patience``: seconds that an answer may take beyond the work asked for."""
        self.place = place
        self._open = open_stream
        self._patience = patience
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._stream: Stream | None = None
        self._waiting: dict[int, tuple[Stream, Future[Any]]] = {}
        self.offset = 0.0
        """Seconds by which the pod's ``time.monotonic`` is ahead of this machine's; to half a round trip."""

    def ask(self, do: str, *, seconds: float = 0.0, **arguments: object) -> Any:  # noqa: ANN401 - a JSON value
        """Return the result of a request that takes up to ``seconds``. ``LabError`` if there is none."""
        return self.result(self.begin(do, **arguments), seconds)

    def begin(self, do: str, **arguments: object) -> Future[Any]:
        """Send a request and return its result to come."""
        with self._lock:
            if self._stream is None:
                self._connect()
            return self._send(do, arguments)

    def result(self, reply: Future[Any], seconds: float = 0.0) -> Any:  # noqa: ANN401 - a JSON value
        """Return what was answered. ``LabError`` if nothing came in time, or the pod said what was wrong."""
        try:
            return reply.result(seconds + self._patience)
        except (TimeoutError, FutureTimeoutError):
            raise LabError("the probe pod does not answer", where=self.place) from None

    def close(self) -> None:
        """End the relay. Idempotent."""
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(timeout=0)  # an end that is gone must not hold up the removal of what the run made

    def _connect(self) -> None:
        stream = self._stream = self._open()
        reader = threading.Thread(target=self._read, args=(stream,), name=f"replies of {self.place}", daemon=True)
        reader.start()
        try:
            before = time.monotonic()
            there = float(self.result(self._send("hello", {}))["time"])
            self.offset = there - (before + time.monotonic()) / 2
        except BaseException:
            self._stream = None
            stream.close(timeout=0)
            raise

    def _send(self, do: str, arguments: dict[str, object]) -> Future[Any]:
        stream, number, reply = self._stream, next(self._numbers), Future[Any]()
        if stream is None:
            raise LabError("the stream to the probe pod has ended", where=self.place)
        self._waiting[number] = stream, reply
        line = json.dumps({"id": number, "do": do, **arguments}).encode() + b"\n"
        try:
            for start in range(0, len(line), _CHUNK):
                stream.send_binary(bytes((_STDIN,)) + line[start : start + _CHUNK])
        except (OSError, websocket.WebSocketException) as error:
            self._waiting.pop(number, None)
            self._stream = None
            raise LabError(f"the stream to the probe pod broke: {error}", where=self.place) from error
        return reply

    def _read(self, stream: Stream) -> None:
        """Settle replies until the stream ends, then say so to everyone who waits."""
        lines, said = bytearray(), bytearray()
        why = "the stream to the probe pod has ended"
        try:
            while message := stream.recv():
                data = message.encode() if isinstance(message, str) else message
                if data[0] == _STDOUT:
                    lines += data[1:]
                    *whole, rest = lines.split(b"\n")
                    lines = bytearray(rest)
                    for line in whole:
                        self._settle(json.loads(line))
                elif data[0] in {_STDERR, _ERROR}:
                    said += data[1:]
        except (OSError, ValueError, KeyError, websocket.WebSocketException) as error:
            why = f"the stream to the probe pod broke: {error}"
        if said:
            why += f": {said[-_LONGEST_ERROR:].decode(errors='replace').strip()}"
        self._end(stream, LabError(why, where=self.place))

    def _settle(self, reply: dict[str, Any]) -> None:
        _, future = self._waiting.pop(reply["id"])
        if "error" in reply:
            future.set_exception(control.error_from_json(reply["error"]))
        else:
            future.set_result(reply["result"])

    def _end(self, stream: Stream, error: LabError) -> None:
        if self._stream is stream:
            self._stream = None
        for number, (theirs, future) in list(self._waiting.items()):
            if theirs is stream and self._waiting.pop(number, None) is not None:
                future.set_exception(error)
