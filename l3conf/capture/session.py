"""A capture that is started and stopped: one interface, one pcap file, one thread.

When ``start`` returns, every frame from then on is captured; when ``stop`` returns, every frame that was
captured is in the file. Checksums of frames that never left this machine may be unfilled, and large TCP
segments may be captured before they are cut: both are how the kernel offloads work, not faults of the sender.
"""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.capture.pcap import SNAPLEN, file_header, record_header
from l3conf.capture.ring import PacketRing
from l3conf.errors import LabError

if TYPE_CHECKING:
    from io import BufferedWriter
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from l3conf.capture.ring import SocketFactory

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes a capture file may grow to; later frames are counted, not written."""
STOP_TIMEOUT = 5.0
"""Seconds for the kernel to hand over its last block; it takes about ``ring.RETIRE_MS``."""


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """What became of a capture. Only a complete one can prove that something was *not* there."""

    path: Path
    frames: int
    """Frames in the file."""
    dropped: int
    """Frames that the kernel could not hand over in time."""
    over_limit: int
    """Frames left out because the file had reached its limit."""

    @property
    def complete(self) -> bool:
        """Whether every frame is in the file."""
        return not self.dropped and not self.over_limit


class Capture:
    """Write the frames of an interface to a pcap file between ``start`` and ``stop``; also a context manager."""

    def __init__(self, namespace: SocketFactory, interface: str, path: Path, *, size_limit: int = SIZE_LIMIT) -> None:
        self.path = path
        self._namespace = namespace
        self._interface = interface
        self._size_limit = size_limit
        self._frames = self._over_limit = self._dropped = self._written = 0
        self._failure: OSError | None = None
        self._thread: threading.Thread | None = None
        self._summary: CaptureSummary | None = None

    def start(self) -> None:
        """Begin. ``LabError`` if the interface does not exist or is down, or the file cannot be made."""
        if self._thread is not None or self._summary is not None:
            raise LabError("a capture starts only once", where=str(self.path))
        ring = PacketRing(self._namespace, self._interface)
        try:
            file = self.path.open("wb")
        except OSError as error:
            ring.close()
            raise LabError(f"cannot write the capture: {error.strerror}", where=str(self.path)) from error
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(
            target=self._run, args=(ring, file), name=f"capture {self._interface}", daemon=True
        )
        self._thread.start()

    def stop(self) -> CaptureSummary:
        """End, with everything on disk. ``LabError`` if the file could not be written. Idempotent.

        Blocks for about ``ring.RETIRE_MS``: an event loop hands it to a thread.
        """
        if self._thread is not None:
            os.eventfd_write(self._stop, 1)
            self._thread.join()
            os.close(self._stop)
            self._thread = None
            self._summary = CaptureSummary(self.path, self._frames, self._dropped, self._over_limit)
        if self._summary is None:
            raise LabError("a capture stops only after it has started", where=str(self.path))
        if self._failure is not None:
            raise LabError(f"the capture broke off: {self._failure}", where=str(self.path)) from self._failure
        return self._summary

    def _run(self, ring: PacketRing, file: BufferedWriter) -> None:
        try:
            with file:
                file.write(file_header())
                file.flush()  # by which readers elsewhere know that it has begun
                self._written = len(file_header())
                self._copy_until_stopped(ring, file)
                self._copy_the_rest(ring, file)
            self._dropped = ring.dropped()
        except OSError as error:
            self._failure = error
        finally:
            ring.close()

    def _copy_until_stopped(self, ring: PacketRing, file: BufferedWriter) -> None:
        poll = select.poll()
        poll.register(ring, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if ready.get(ring.fileno(), 0) & select.POLLERR:
                ring.clear_error()
            self._copy(ring, file)
            file.flush()  # readers may follow a running capture
            if self._stop in ready:
                return

    def _copy_the_rest(self, ring: PacketRing, file: BufferedWriter) -> None:
        ring.refuse_more()
        deadline = time.monotonic() + STOP_TIMEOUT
        poll = select.poll()
        poll.register(ring, select.POLLIN)
        self._copy(ring, file)
        while not ring.empty():
            if time.monotonic() > deadline:
                raise TimeoutError("the kernel did not hand over its last block of frames")
            poll.poll(1)
            self._copy(ring, file)

    def _copy(self, ring: PacketRing, file: BufferedWriter) -> None:
        for seconds, nanoseconds, original, data in ring.drain():
            kept = data[:SNAPLEN]
            record = record_header(seconds, nanoseconds, len(kept), original)
            if self._written + len(record) + len(kept) > self._size_limit:
                self._over_limit += 1
                continue
            file.write(record)
            file.write(kept)
            self._written += len(record) + len(kept)
            self._frames += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
