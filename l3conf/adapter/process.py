"""Run one foreign process to its end, whatever it does: bounded in time, in output and in what it leaves behind.

A hook may hang, ignore SIGTERM, print without end, or fork children that outlive it and keep its pipe open.
None of that may hold up or outlive a run. The process gets a session of its own, so that one signal reaches
its group; children that left the group are found by a marker variable that they inherited.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARKER = "L3CONF_HOOK_PROCESS"
"""Environment variable by which a hook's stray descendants are known."""
_KILL_PATIENCE = 2.0
"""Seconds that the kernel gets to end a killed process."""
_CHUNK = 65536
_SWEEPS = 5
"""How often strays are looked for: a process may fork while it is being ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process came to its end."""

    exit_code: int
    """As a shell has it: 128 + n for signal n."""
    stdout: bytes
    seconds: float
    timed_out: bool = False
    """It was still running at its deadline and was ended."""
    overflowed: bool = False
    """It printed more than its limit and was ended."""
    strays: int = 0
    """Processes it had started that outlived it and were ended."""


def run_to_end(
    argv: Sequence[str],
    *,
    stdin: bytes,
    env: Mapping[str, str],
    cwd: Path,
    log: IO[bytes],
    timeout: float,
    grace: float,
    output_limit: int,
) -> Ended:
    """Run ``argv`` with ``stdin`` and return how it ended; stderr goes to ``log``.

    At ``timeout`` seconds the group gets SIGTERM, ``grace`` seconds later SIGKILL; ``output_limit`` bounds stdout in
    bytes. When this returns or raises, neither the
    process nor any descendant that kept its environment is left. ``OSError`` if it cannot be started.
    """
    marker = uuid.uuid4().hex
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(
            list(argv),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**env, MARKER: marker},
            cwd=cwd,
            start_new_session=True,
        )
    started = time.monotonic()
    collector = _Collector(process, output_limit, grace)
    try:
        collector.collect(started + timeout)
    finally:
        strays = _end_strays(marker, process.pid)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        collector.close()
    return Ended(
        exit_code=process.returncode if process.returncode >= 0 else 128 - process.returncode,
        stdout=bytes(collector.output),
        seconds=time.monotonic() - started,
        timed_out=collector.timed_out,
        overflowed=collector.overflowed,
        strays=strays,
    )


class _Collector:
    """Reads a process's output until it has exited, whoever else still holds the pipe."""

    def __init__(self, process: subprocess.Popen[bytes], limit: int, grace: float) -> None:
        if process.stdout is None:
            raise ValueError("the process has no pipe for stdout")
        self.output = bytearray()
        self.timed_out = False
        self.overflowed = False
        self._pid = process.pid
        self._pipe = process.stdout
        self._limit = limit
        self._grace = grace
        # A pidfd tells of the exit without reaping it: until then the pid, and with it the group, is ours.
        self._exit = os.pidfd_open(process.pid)
        os.set_blocking(self._pipe.fileno(), False)

    def collect(self, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._exit, selectors.EVENT_READ)
            selector.register(self._pipe, selectors.EVENT_READ)
            while not self._turn(selector, deadline):
                pass

    def close(self) -> None:
        os.close(self._exit)
        self._pipe.close()

    def _turn(self, selector: selectors.BaseSelector, deadline: float) -> bool:
        """Wait for one event; return whether all is over."""
        ready = {key.fd for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
        if self._pipe.fileno() in ready and not self._read():
            selector.unregister(self._pipe)
        if self._exit in ready:
            self._drain()
            return True
        if self.overflowed or time.monotonic() >= deadline:
            self.timed_out = not self.overflowed
            self._terminate()
            return True
        return False

    def _read(self) -> bool:
        """Take what is there; return whether more may come."""
        try:
            chunk = os.read(self._pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        room = self._limit - len(self.output)
        self.output += chunk[:room]
        self.overflowed = self.overflowed or len(chunk) > room
        return bool(chunk)

    def _drain(self) -> None:
        """Read what the process left in the pipe, not waiting for children that hold it open."""
        before = -1
        while len(self.output) != before and not self.overflowed:
            before = len(self.output)
            self._read()

    def _terminate(self) -> None:
        """Ask the group to end; the caller's SIGKILL follows when it did or the grace is over."""
        _signal_group(self._pid, signal.SIGTERM)
        with selectors.DefaultSelector() as selector:
            selector.register(self._exit, selectors.EVENT_READ)
            selector.select(self._grace)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_strays(marker: str, first: int) -> int:
    """End every process that carries the marker, but for the first of them; return how many there were."""
    wanted = f"{MARKER}={marker}".encode()
    ended: set[int] = {first}
    for _ in range(_SWEEPS):
        found = {pid for pid in _processes() if pid not in ended and _carries(pid, wanted)}
        if not found:
            break
        for pid in found:
            _kill(pid)
        ended |= found
    return len(ended) - 1


def _kill(pid: int) -> None:
    """Kill a process that is not our child and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        exit_ = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(exit_, signal.SIGKILL)
            with selectors.DefaultSelector() as selector:
                selector.register(exit_, selectors.EVENT_READ)
                selector.select(_KILL_PATIENCE)
        finally:
            os.close(exit_)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _carries(pid: int, wanted: bytes) -> bool:
    """Whether a process has the variable; one that is gone, a zombie or another user's has not."""
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
