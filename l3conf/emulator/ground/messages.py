"""What the emulator and its spawner say to each other: JSON over a Unix SEQPACKET socket, with descriptors."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_MESSAGE = 1 << 20
MAX_DESCRIPTORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnRequest:
    """Start a process in a pod. Standard input, output and error travel beside it as descriptors."""

    id: int
    argv: tuple[str, ...]
    env: dict[str, str]
    network: str
    """Path of the network namespace, or "" to take it from ``join``."""
    join: int = 0
    """Pid of a container's first process whose namespaces to enter; 0 makes new ones."""
    mounts: tuple[tuple[str, str, bool], ...] = ()
    """(source, target, read-only) in the order to mount them."""
    working_directory: str = "/"
    hostname: str = ""
    tty: bool = False
    """Make standard input the controlling terminal."""
    capabilities: tuple[int, ...] | None = None
    """What the process may have of them, by number; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnReply:
    """Answer to a request: a pid, or the errno with which starting failed."""

    id: int
    pid: int = 0
    errno: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnded:
    """A process that was started here has ended."""

    pid: int
    exit_code: int
    """As a shell has it: 128 + n after signal n."""


Message = SpawnRequest | SpawnReply | ProcessEnded
_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in (SpawnRequest, SpawnReply, ProcessEnded)}


@dataclass(slots=True)
class Received:
    """A message and the descriptors that came with it; whoever receives them closes them."""

    message: Message
    descriptors: list[int] = field(default_factory=list)


def send(channel: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message. ``OSError`` if the other side is gone."""
    body = json.dumps({"kind": type(message).__name__, **asdict(message)}, separators=(",", ":")).encode()
    socket.send_fds(channel, [body], descriptors)


def receive(channel: socket.socket) -> Received | None:
    """Take one message; None at the end of the channel. ``BlockingIOError`` if none is waiting."""
    body, descriptors, _flags, _address = socket.recv_fds(channel, MAX_MESSAGE, MAX_DESCRIPTORS)
    if not body:
        return None
    fields: dict[str, Any] = json.loads(body)
    kind = _KINDS[fields.pop("kind")]
    for name in ("argv", "capabilities", "mounts"):
        if fields.get(name) is not None:
            fields[name] = tuple(tuple(item) if isinstance(item, list) else item for item in fields[name])
    return Received(kind(**fields), list(descriptors))


def widen(channel: socket.socket) -> None:
    """Let the channel carry a whole environment in one message."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        channel.setsockopt(socket.SOL_SOCKET, option, MAX_MESSAGE)
