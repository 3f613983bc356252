"""epoll with a function per descriptor (``selectors`` would make an object per event)."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
ERROR = select.EPOLLERR


class Poller:
    """Calls ``handler(events)`` for each descriptor that is ready.

    A handler may be called without need after its descriptor's number was used again in the same round: it must
    take "would block" for an answer.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}

    def register(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Watch a descriptor; errors and hang-ups are always reported."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def modify(self, fd: int, events: int) -> None:
        """Change what is watched for."""
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Stop watching; call it before the descriptor is closed. Idempotent."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def poll(self, timeout: float) -> int:
        """Wait up to ``timeout`` seconds, handle everything that is ready; return how many descriptors were."""
        events = self._epoll.poll(timeout, 1024)
        handlers = self._handlers
        for fd, mask in events:
            handler = handlers.get(fd)
            if handler is not None:
                handler(mask)
        return len(events)

    def close(self) -> None:
        """Close epoll itself; the watched descriptors stay open."""
        self._handlers.clear()
        self._epoll.close()
