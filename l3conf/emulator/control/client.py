"""The host's end of the control socket: blocking calls, one at a time per client."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

from l3conf.emulator.control.framing import Decoder, encode, raise_error
from l3conf.emulator.ground.state import CONTROL_SOCKET
from l3conf.errors import LabGoneError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


class ControlClient:
    """Calls a running lab. Closing it undoes every fault and capture that it started."""

    def __init__(self, state: Path) -> None:
        self._lock = threading.Lock()
        self._decoder = Decoder()
        self._last_id = 0
        self._silence = ""
        """Why nothing can be asked any more: the call that was not answered."""
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._channel.connect(str(state / CONTROL_SOCKET))
        except OSError as error:
            self._channel.close()
            raise LabGoneError(f"cannot reach the lab: {error.strerror}", where=str(state)) from None

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        timeout: float = 60.0,
        descriptors: tuple[int, ...] = (),
    ) -> Any:  # noqa: ANN401 - JSON
        """Call the lab and return its answer.

        Raises what the lab raised, and ``LabGoneError`` if it is gone or silent for ``timeout`` seconds.
        """
        with self._lock:
            if self._silence:
                raise LabGoneError(self._silence)
            self._last_id += 1
            frame = encode({"id": self._last_id, "method": method, "params": params or {}})
            try:
                self._channel.settimeout(timeout)
                sent = socket.send_fds(self._channel, [frame], descriptors)
                self._channel.sendall(frame[sent:])
                answer = self._receive()
            except TimeoutError:
                self._channel.close()  # a late answer would be taken for the next call's
                self._silence = f"the lab did not answer {method!r} within {timeout:g} s"
                raise LabGoneError(self._silence) from None
            except OSError as error:
                raise LabGoneError(f"the lab is gone: {error}", where=f"call {method}") from None
        if "error" in answer:
            raise_error(answer["error"])
        return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while True:
            data = self._channel.recv(1 << 20)
            if not data:
                raise LabGoneError("the lab has ended")
            for message in self._decoder.feed(data):
                if message.get("id") == self._last_id:
                    return message

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
