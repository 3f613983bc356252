"""When to look at the IKE daemon: it tells of SAs that come and go, agents leave a mark when they load something.

A look costs five requests. Five looks a second, each of which found what the one before had found, took some percent of
a processor on every gateway, beside the packets that the same daemon carries.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import vici

from reference_impl.drivers.charon import CHARON_DIRECTORY, MARK, SOCKET

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_EVENTS = ("ike-updown", "child-updown")
_TIMEOUT = 5.0
_AT_ONCE = 0.01
"""Seconds; what is read is there already."""
_FAILURES = (
    OSError,
    vici.exception.CommandException,
    vici.exception.SessionException,
    vici.exception.EventUnknownException,
    vici.exception.DeserializationException,
)


class News:
    """Hears of what happens at a daemon, and between two questions as well. One thread at a time."""

    def __init__(self, directory: Path = CHARON_DIRECTORY) -> None:
        self._directory = directory
        self._marked = self._mark()
        self._socket: socket.socket | None = None
        self._events: Generator[object] | None = None

    def within(self, seconds: float) -> bool:
        """Wait up to that long; tell whether anything has happened since the last question."""
        marked, self._marked = self._marked, self._mark()
        if marked != self._marked:
            return True
        try:
            return self._heard(seconds)
        except _FAILURES:
            self.close()
            time.sleep(seconds)
            return False

    def close(self) -> None:
        """Close the session. Idempotent."""
        if self._socket is not None:
            self._socket.close()
        with suppress(*_FAILURES):
            if self._events is not None:
                self._events.close()
        self._socket = self._events = None

    def _heard(self, seconds: float) -> bool:
        if self._socket is None or self._events is None:
            self._listen()
            return True  # nobody knows what has happened before
        heard = False
        while select.select([self._socket], [], [], 0.0 if heard else seconds)[0]:
            next(self._events)
            heard = True
        return heard

    def _listen(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT)
        self._socket.connect(str(self._directory / SOCKET))
        self._events = vici.Session(self._socket).listen(_EVENTS, timeout=_AT_ONCE)
        next(self._events)  # registers

    def _mark(self) -> int:
        try:
            return (self._directory / MARK).stat().st_mtime_ns
        except OSError:
            return 0
