"""Runs in copies of this process: a run of one row imports for longer than it tests.

A copy begins where this process is, with everything imported once. It gets a session, an environment and a log of
its own, and never returns into the caller's code. Only for callers without threads.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING, NoReturn

from l3conf.plugin.process import Selection, command, run_environment

if TYPE_CHECKING:
    from pathlib import Path

_HEAVY = ("pytest", "_pytest.junitxml", "_pytest.logging", "xdist.plugin", "kubernetes.client", "kubernetes.config")
"""What every run imports, none of it ours: pytest rewrites the assertions of plugins as it imports them."""
_LOOK = 0.02


class ForkedRun:
    """A run that was forked off, as far as callers use ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end; ``subprocess.TimeoutExpired`` if that takes too long."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["forked run"], timeout)
            time.sleep(_LOOK)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def preload() -> None:
    """Import what runs import."""
    for name in _HEAVY:
        importlib.import_module(name)


def fork(selection: Selection, log: IO[bytes], scratch: Path, *more: str) -> ForkedRun:
    """Start the scenarios in a copy of this process; as ``process.launch``."""
    argv = command(selection, *more, "--basetemp", str(scratch / "pytest"))
    environment = run_environment(scratch)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return ForkedRun(pid)
    try:
        _become_run(argv[argv.index("pytest") + 1 :], environment, log)
    finally:
        os._exit(os.EX_SOFTWARE)  # whatever came up must not run the caller's code a second time


def _become_run(arguments: list[str], environment: dict[str, str], log: IO[bytes]) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((null, 0), (log.fileno(), 1), (log.fileno(), 2)):
        os.dup2(descriptor, number)
    # The caller may have replaced these two, as pytest does.
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it is remembered from the caller's TMPDIR
    import pytest  # noqa: PLC0415 - only a copy runs it

    code = int(pytest.main(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
