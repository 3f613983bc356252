"""A command that runs in a container, as a stream of messages with channels.

Docker puts eight bytes before what it sends: the channel, three zeros, and the length, big-endian (Engine API,
"Attach to a container"). Its channels are those of ``pods/exec``, so a probe server is spoken to as one in a pod is.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT, STDERR = 1, 2
_HEAD = struct.Struct("!BxxxI")
_CHUNK = 1 << 16


class ExecStream:
    """One command (``labs.existing.sessions.Stream``)."""

    def __init__(self, wrapper: Any, where: str) -> None:  # noqa: ANN401 - what docker-py returns differs by transport
        # docker-py hands out the reading half; the socket itself is below. It must live: its end would close the other.
        self._wrapper = wrapper
        self._socket = getattr(wrapper, "_sock", wrapper)
        self._socket.settimeout(None)
        self._receive = _reading(wrapper) or self._socket.recv
        self._where = where

    def send_binary(self, payload: bytes) -> int:
        """Send a message: a channel, which can only be stdin, and data."""
        self._socket.sendall(payload[1:])
        return len(payload)

    def recv(self) -> bytes:
        """Wait for a message: its channel and data; empty when the command has ended."""
        head = self._read(_HEAD.size)
        if not head:
            return b""
        channel, size = _HEAD.unpack(head)
        return bytes((channel,)) + self._read(size)

    def read_all(self, seconds: float) -> tuple[bytes, bytes]:
        """Return stdout and stderr once the command has ended. ``LabError`` if it has not after ``seconds``."""
        out: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray()}
        deadline = time.monotonic() + seconds
        try:
            while True:
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                message = self.recv()
                if not message:
                    return bytes(out[STDOUT]), bytes(out[STDERR])
                out[message[0]] += message[1:]
        except TimeoutError:
            raise LabError(f"docker did not end a command within {seconds:g} s", where=self._where) from None
        except (OSError, KeyError, struct.error) as error:
            raise LabError(f"the stream from docker broke: {error}", where=self._where) from error
        finally:
            self.close(timeout=0)

    def close(self, *, timeout: float = 0) -> None:
        """Hang up, which ends a command that reads its stdin. Idempotent."""
        del timeout
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for a message, which closing does not
        self._wrapper.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        """Return exactly that much, or nothing if the stream ends before the first byte."""
        data = bytearray()
        while len(data) < size:
            part = self._receive(min(_CHUNK, size - len(data)))
            if not part:
                if data:
                    raise OSError("it ended within a message")
                return b""
            data += part
        return bytes(data)


def _reading(wrapper: Any) -> Callable[[int], bytes] | None:  # noqa: ANN401 - see above
    """Return what reads from behind docker's answer, if that was read through a buffer.

    What came together with the answer is in that buffer, and on the socket no more.
    """
    try:
        reader: Callable[[int], bytes] = wrapper._response.raw._fp.fp.read1  # noqa: SLF001 - docker-py keeps it for no one
    except AttributeError:
        return None
    return reader
