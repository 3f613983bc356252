"""Running programs: bounded in time, asked for nothing, and with a reason when they fail."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import Command, HookError, last_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_KEPT_LINES = 500
"""Lines of a program's output among which the reason of its failure is looked for."""


class Runner:
    """Runs programs one after the other until a moment at which all must have ended."""

    def __init__(self, directory: Path, seconds: float) -> None:
        self._directory = directory
        self._deadline = time.monotonic() + seconds

    def run(self, command: Command) -> str:
        """Run a program and return its output, which goes to standard error as it comes. ``HookError`` if it fails."""
        name = shlex.join((Path(command.argv[0]).name, *command.argv[1:2]))
        process = self._start(command)
        late = threading.Event()
        timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), _end, (process, late))
        timer.start()
        try:
            lines = _copied(process)
        finally:
            timer.cancel()
        if late.is_set():
            raise HookError(f"{name} did not end in time and was killed; before: {last_words(lines)}")
        if process.returncode != 0:
            raise HookError(f"{name} ended with {process.returncode}: {last_words(lines)}")
        refusing = [line for line in lines if command.refused_if and command.refused_if in line]
        if refusing:
            raise HookError(f"{name} left something: {last_words(refusing)}")
        return "".join(lines)

    def _start(self, command: Command) -> subprocess.Popen[str]:
        sys.stderr.write(f"+ {shlex.join(command.argv)}\n")
        try:
            return subprocess.Popen(
                command.argv,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,  # whoever asks gets no answer instead of waiting for one
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise HookError(f"{command.argv[0]}: {error.strerror}; install it, or name it in impl.yaml") from None


def _copied(process: subprocess.Popen[str]) -> list[str]:
    """Copy a program's output to standard error until it has ended; return the last lines."""
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    for line in process.stdout or ():
        sys.stderr.write(line)
        lines.append(line)
    process.wait()
    return list(lines)


def _end(process: subprocess.Popen[str], late: threading.Event) -> None:
    """End a program with all that it started."""
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def together(runner: Runner, commands: Iterable[Command]) -> list[str]:
    """Run programs at the same time, to the end of each; return what went wrong. No cluster waits for another."""
    listed = list(commands)
    with ThreadPoolExecutor(max_workers=max(1, len(listed))) as pool:
        return [failure for failure in pool.map(lambda command: _failure(runner, command), listed) if failure]


def _failure(runner: Runner, command: Command) -> str:
    try:
        runner.run(command)
    except HookError as error:
        return str(error)
    return ""


def run_all(runner: Runner, commands: Iterator[Command]) -> None:
    """Run them until one fails."""
    for command in commands:
        runner.run(command)
