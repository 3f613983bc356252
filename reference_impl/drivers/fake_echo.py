"""Echo in memory: peers answer at once, or not at all."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from reference_impl.protocols.echo import EchoReply

if TYPE_CHECKING:
    from reference_impl.state import IPAddress


class FakeEcho:
    """Answers for every address in ``alive``. A pipe makes it readable like a socket."""

    def __init__(self) -> None:
        self.alive: set[IPAddress] = set()
        self.asked: list[IPAddress] = []
        self._replies: deque[EchoReply] = deque()
        self._read, self._write = os.pipe()

    def fileno(self) -> int:
        """Return a descriptor that is readable while there are replies."""
        return self._read

    def send(self, destination: IPAddress, identifier: int, sequence: int, source: IPAddress | None = None) -> bool:
        """Take a request; who asks does not matter."""
        del source
        self.asked.append(destination)
        if destination in self.alive:
            self._replies.append(EchoReply(identifier, sequence))
            os.write(self._write, b"x")
        return True

    def receive(self) -> EchoReply | None:
        """Return the next reply."""
        if not self._replies:
            return None
        os.read(self._read, 1)
        return self._replies.popleft()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)
