"""Commands in probe pods, by ``pods/exec``, with their exit codes."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import websocket

from l3conf.errors import LabError, LabIncapableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.plugin.cluster_api import ClusterAPI

_STDOUT, _STDERR, _ERROR = 1, 2, 3
"""Channels of ``v4.channel.k8s.io``."""
_TIMED_OUT = 124
_NO_SUCH_COMMAND = ("executable file not found", "no such file or directory")


def run_in_pod(
    api: ClusterAPI, namespace: str, pod: str, argv: Sequence[str], *, timeout: float
) -> tuple[int, str, str]:
    """Run a command in a pod; return exit code, stdout, stderr; 124 if it has not ended after ``timeout`` seconds.

    The suite's own Python stands for that of the image. ``LabIncapableError`` if the image has no such command.
    """
    words = ["python3" if word == sys.executable else word for word in argv]
    stream: Any = api.open_exec(namespace, pod, words)
    parts: dict[int, bytearray] = {channel: bytearray() for channel in (_STDOUT, _STDERR, _ERROR)}
    deadline = time.monotonic() + timeout
    try:
        while True:
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            message = stream.recv()
            data = message.encode() if isinstance(message, str) else message
            if not data:
                break
            if data[0] in parts:
                parts[data[0]] += data[1:]
            if parts[_ERROR]:
                break
    except (TimeoutError, websocket.WebSocketTimeoutException):
        return _TIMED_OUT, parts[_STDOUT].decode(errors="replace"), f"not ended after {timeout:g} s"
    except (OSError, websocket.WebSocketException) as error:
        raise LabError(f"the stream to the pod broke: {error}", where=f"{api.name}/{namespace}/{pod}") from error
    finally:
        stream.close(timeout=0)
    out, err = (parts[channel].decode(errors="replace") for channel in (_STDOUT, _STDERR))
    return exit_code(parts[_ERROR], f"{api.name}/{namespace}/{pod}"), out, err


def exit_code(status: bytes | bytearray, where: str) -> int:
    """Return the exit code in the Status with which the API server ends an exec. Pure.

    ``LabError`` if it says something else, ``LabIncapableError`` if there was no such command.
    """
    try:
        said: Mapping[str, Any] = json.loads(status or "{}")
    except ValueError:
        raise LabError(f"exec ended with {bytes(status[:200])!r}", where=where) from None
    if said.get("status") == "Success":
        return 0
    causes = (said.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    message = str(said.get("message", "")) or "nothing"
    if any(words in message for words in _NO_SUCH_COMMAND):
        raise LabIncapableError(f"the probe image has no such command: {message}", where=where)
    raise LabError(f"exec did not end as commands do: {message}", where=where)
