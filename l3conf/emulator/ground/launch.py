"""Start a lab from outside, hear how it comes up, end it.

The lab's process (the *supervisor*) holds one end of a lifeline whose other end is here: when this process
dies, however it dies, the supervisor ends the lab. A background lab has no lifeline and outlives its starter.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.ground.state import seen_from_host
from l3conf.errors import LabError, MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from l3conf.model.implementation import EmulatedImage
    from l3conf.model.topology import Topology

START_TIMEOUT = 60.0
"""Seconds for a lab to come up before it is given up; the largest topologies take a few."""
STOP_TIMEOUT = 5.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What the supervisor is told on its standard input, pickled: both sides are this same package."""

    name: str
    topology: Topology
    images: tuple[EmulatedImage, ...] = ()
    """With ``{python}`` and ``{directory}`` already filled in."""
    visible: tuple[str, ...] = ()
    """Directories that pods must see even below /run or /tmp."""
    background: bool = False
    patience: float = 1.0
    """How many times slower than usual this machine may be."""
    serves_on_nodes: bool = True
    """Whether the lab's own probe servers listen on nodes; else the port is free for pods with hostNetwork."""
    mininet: bool = False
    """Whether Mininet makes hosts, switches and links; else the fabric asks the kernel for them itself."""


class LaunchedLab:
    """A running lab's process, seen from the process that started it."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int, emulator_pid: int) -> None:
        self._process = process
        self._lifeline = lifeline
        self.emulator_pid = emulator_pid

    @property
    def state(self) -> Path:
        """The lab's state directory."""
        return seen_from_host(self.emulator_pid)

    @property
    def alive(self) -> bool:
        """Whether the supervisor still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the lab; idempotent. The kernel takes the namespaces back shortly after."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def launch(request: LaunchRequest, *, progress: Callable[[str], None] = lambda _stage: None) -> LaunchedLab:
    """Start a lab and return once its API servers answer and its nodes are registered.

    ``progress`` hears the stages. Raises ``MissingPrerequisiteError`` for what this machine lacks and
    ``LabError`` with the supervisor's last words for everything else.
    """
    status, status_theirs = os.pipe2(os.O_CLOEXEC)
    lifeline_theirs, lifeline = os.pipe2(os.O_CLOEXEC)
    process = subprocess.Popen(
        [sys.executable, "-m", "l3conf.emulator", str(status_theirs), str(lifeline_theirs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("L3CONF_DEBUG") else subprocess.DEVNULL,
        pass_fds=(status_theirs, lifeline_theirs),
        start_new_session=True,  # Ctrl-C reaches the starter alone, which ends the lab in its own order
    )
    os.close(status_theirs)
    os.close(lifeline_theirs)
    lab = LaunchedLab(process, lifeline, 0)
    try:
        _hand_over(process, request)
        lab.emulator_pid = _await_ready(status, progress, START_TIMEOUT * request.patience)
    except BaseException:
        lab.close()
        raise
    finally:
        os.close(status)
    return lab


def _hand_over(process: subprocess.Popen[bytes], request: LaunchRequest) -> None:
    if process.stdin is None:
        raise LabError("the supervisor has no standard input")
    with suppress(BrokenPipeError), process.stdin as stdin:  # its status line will say why it ended
        pickle.dump(request, stdin)


def _await_ready(status: int, progress: Callable[[str], None], seconds: float) -> int:
    """Follow the status lines (JSON objects) until one says ready; return the emulator's pid."""
    deadline = time.monotonic() + seconds
    pending = b""
    emulator_pid = 0
    while True:
        if not select.select([status], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise LabError(f"the lab did not come up within {seconds:.0f} s")
        received = os.read(status, 65536)
        if not received:
            raise LabError("the lab ended while it was coming up", remedy="set L3CONF_DEBUG=1 to see its output")
        *lines, pending = (pending + received).split(b"\n")
        for line in lines:
            news: dict[str, Any] = json.loads(line)
            if "error" in news:
                raise _as_error(news)
            emulator_pid = int(news.get("pid", emulator_pid))
            if "stage" in news:
                progress(news["stage"])
            if news.get("ready"):
                return emulator_pid


def _as_error(news: dict[str, Any]) -> LabError | MissingPrerequisiteError:
    kind = MissingPrerequisiteError if news.get("kind") == "prerequisite" else LabError
    return kind(news["error"], where=news.get("where", ""), remedy=news.get("remedy", ""))


def end_lab(state: Path, *, timeout: float = STOP_TIMEOUT) -> None:
    """End a background lab given its state directory (or the link to it), by SIGKILL to its first process."""
    directory = state.readlink() if state.is_symlink() else state
    pid = int(directory.parts[2])
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], timeout)
    finally:
        os.close(descriptor)
