"""Boots a machine, passes its output on, and ends it: by itself, by Ctrl-C, by its time, or with this process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from l3conf.errors import LabError
from l3conf.vm.host import search_path
from l3conf.vm.machine import BOOTED, ENDED, START

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import IO

BOOT_TIMEOUT = 600.0
"""Seconds until the first script runs: 15 to 35 under software emulation, more on a machine that is busy."""
_LOOK = 0.2
_CHUNK = 65536
_LAST_WORDS = 15
"""Lines that a message repeats."""
_FAREWELL = 15.0
"""Seconds for a machine to power itself off once its command has ended, and for its output to end."""


class Streams(Protocol):
    """Where the guest's output goes."""

    def stdout(self, data: bytes, /) -> None:
        """Take what the command wrote."""

    def stderr(self, data: bytes, /) -> None:
        """Take what the command, or the machine, complained of."""


class OwnStreams:
    """This process's own."""

    @staticmethod
    def stdout(data: bytes) -> None:
        """Write through."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    @staticmethod
    def stderr(data: bytes) -> None:
        """Write through."""
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder through which a machine tells how it ended."""
    return tempfile.TemporaryDirectory(prefix="l3conf-vm-", ignore_cleanup_errors=True)


def run_machine(
    argv: Sequence[str],
    script: str,
    scratch: Path,
    *,
    timeout: float,
    streams: Streams,
    tell: Callable[[str], None],
    boot_timeout: float = BOOT_TIMEOUT,
) -> int:
    """Run the machine to its end and return the command's exit code.

    ``LabError`` if the kernel does not come up, the machine ends before its command, or the command takes too long.
    Whatever ends this function, and this process, ends the machine: its first process dies with its parent.
    """
    (scratch / START).write_text(script)
    began, process = time.monotonic(), None
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": search_path(), "TMPDIR": str(scratch)},
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the machine
        )
        last_words = _Relay(process, streams)
        _await(process, scratch / BOOTED, began + min(boot_timeout, timeout))
        if (scratch / BOOTED).exists():
            tell(f"booted after {time.monotonic() - began:.0f} s")
            _await(process, scratch / ENDED, began + timeout)
            with suppress(subprocess.TimeoutExpired):  # it powers itself off
                process.wait(_FAREWELL)
    finally:
        if process is not None:
            process.kill()
            process.wait()
    last_words.join()
    return _judge(scratch, time.monotonic() - began, timeout, last_words.tail)


def _await(process: subprocess.Popen[bytes], mark: Path, deadline: float) -> None:
    while process.poll() is None and not mark.exists() and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)


def _judge(scratch: Path, took: float, timeout: float, tail: str) -> int:
    with suppress(OSError, ValueError):
        return int((scratch / ENDED).read_text())
    said = f"\n{tail}" if tail else ""
    if took >= timeout:
        raise LabError(f"the command did not end within {timeout:.0f} s", remedy="give more --timeout, or ask for less")
    if (scratch / BOOTED).exists():
        raise LabError(f"the machine ended before its command{said}", remedy="give more --memory, or see --console")
    raise LabError(f"the kernel did not come up{said}", remedy="see --console")


class _Relay:
    """Passes both streams on as they come, and remembers the end of the second."""

    def __init__(self, process: subprocess.Popen[bytes], streams: Streams) -> None:
        self._tail = b""
        pairs = ((process.stdout, streams.stdout), (process.stderr, self._remembering(streams.stderr)))
        self._threads = [
            threading.Thread(target=_pass_on, args=(source, sink), daemon=True)
            for source, sink in pairs
            if source is not None
        ]
        for thread in self._threads:
            thread.start()

    @property
    def tail(self) -> str:
        """What was said last."""
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-_LAST_WORDS:])

    def join(self) -> None:
        """Wait until everything was passed on; the other ends are closed."""
        for thread in self._threads:
            thread.join(_FAREWELL)

    def _remembering(self, sink: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            self._tail = (self._tail + data)[-_CHUNK:]
            sink(data)

        return take


def _pass_on(source: IO[bytes], sink: Callable[[bytes], None]) -> None:
    """Copy until the end. A reader that went away stops the copying, not the reading: the guest must not block."""
    open_sink = True
    with source:
        while data := os.read(source.fileno(), _CHUNK):
            if open_sink:
                try:
                    sink(data)
                except OSError:
                    open_sink = False
