"""The kind CLI and kubectl as processes: bounded in time, never outliving this one, their last words in every error."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.errors import LabError, MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_VERSION = re.compile(r"\bv(\d+)\.(\d+)\.(\d+)\S*")
_STEP = re.compile(r"^\s*[✓✗•]\s+(.*?)[^\w)\"]*$")
"""A line of progress of ``kind create``: a mark, words, and perhaps a picture."""
OLDEST = (0, 20, 0)
"""Nodes of earlier releases have no nft, and their kindnet no policies."""
_WORDS = 800
_QUICK, _CREATING, _LOADING = 30.0, 900.0, 600.0
"""Seconds: for a question; for a cluster, its images pulled; for an image copied to all nodes."""
_END_GRACE = 10.0


@dataclass(slots=True)
class Kind:
    """The kind CLI, on docker."""

    program: str = "kind"
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self) -> tuple[int, int, int]:
        """Return the CLI's version. ``MissingPrerequisiteError`` if there is none that can be used."""
        remedy = "https://kind.sigs.k8s.io/docs/user/quick-start/#installation, and have it on the PATH"
        if shutil.which(self.program) is None:
            raise MissingPrerequisiteError("there is no command kind", where="kind", remedy=remedy)
        said = self._run(["version"], seconds=_QUICK)
        found = _VERSION.search(said)
        if not said.startswith("kind") or found is None:
            raise MissingPrerequisiteError(f"this is not the kind CLI: {said[:80]!r}", where="kind", remedy=remedy)
        version = int(found[1]), int(found[2]), int(found[3])
        if version < OLDEST:
            least = ".".join(map(str, OLDEST))
            raise MissingPrerequisiteError(f"kind {found[0]} is too old", where="kind", remedy=f"{least} or later")
        return version

    def create(
        self, name: str, config: Path, kubeconfig: Path, *, network: str, progress: Callable[[str], None]
    ) -> None:
        """Make a cluster whose nodes are on a network that exists. kind removes what it has begun if it fails."""
        words = ["create", "cluster", "--name", name, "--config", str(config), "--kubeconfig", str(kubeconfig)]

        def tell(line: str) -> None:
            if step := step_of(line):
                progress(step)

        # Readiness is waited for through the API, by nodes: kind waits for the control plane, and fails not if it is
        # late.
        env = {"KIND_EXPERIMENTAL_DOCKER_NETWORK": network}
        self._run([*words, "--wait", "0s"], seconds=_CREATING, env=env, heard=tell)

    def kubeconfig(self, name: str) -> str:
        """Return the kubeconfig of a cluster, for this machine."""
        return self._run(["get", "kubeconfig", "--name", name], seconds=_QUICK)

    def load(self, name: str, images: Sequence[str], *, nodes: Sequence[str] = ()) -> None:
        """Copy images of the engine to nodes of a cluster, all of them unless some are named."""
        chosen = ["--nodes", ",".join(nodes)] if nodes else []
        self._run(["load", "docker-image", *images, "--name", name, *chosen], seconds=_LOADING)

    def interrupt(self) -> None:
        """End what is running, and refuse to start more."""
        with self._lock:
            self._over = True
            running = list(self._running)
        for process in running:
            _end(process)

    def _run(
        self,
        words: Sequence[str],
        *,
        seconds: float,
        env: Mapping[str, str] | None = None,
        heard: Callable[[str], None] = lambda _line: None,
    ) -> str:
        environment = {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": "docker", **(env or {})}
        with self._lock:
            if self._over:
                raise LabError("kind is no longer run: the lab is being ended")
            process = start([self.program, *words], environment)
            self._running.add(process)
        try:
            return finish(process, f"kind {' '.join(words[:2])}", seconds, heard)
        finally:
            self._running.discard(process)


def kubectl_apply(kubeconfig: Path, manifest: str) -> None:
    """Apply a file or URL, as the documentation of network plugins has it."""
    remedy = "https://kubernetes.io/docs/tasks/tools/#kubectl"
    if shutil.which("kubectl") is None:
        raise MissingPrerequisiteError("there is no command kubectl", where="--cni-manifest", remedy=remedy)
    words = ["kubectl", "--kubeconfig", str(kubeconfig), "apply", "--server-side", "-f", manifest]
    finish(start(words, os.environ), f"kubectl apply -f {manifest}", _LOADING, lambda _line: None)


def step_of(line: str) -> str:
    """Return the words of a line of kind's progress, or nothing if it is none. Pure."""
    found = _STEP.match(line)
    return found[1].strip(" .") if found else ""


def start(argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program that ends with this process's thread, in a group of its own: Ctrl-C is for us to handle."""
    # Of util-linux, and so on most machines; without it a program outlives a killed run for as long as it takes.
    setpriv = shutil.which("setpriv")
    return subprocess.Popen(
        [*((setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()), *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=dict(env),
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], what: str, seconds: float, heard: Callable[[str], None]) -> str:
    """Return what a program printed to stdout, telling each line of stderr.

    ``LabError`` with its last words if it fails.
    """
    said: list[str] = []

    def listen() -> None:
        for line in process.stderr or ():
            said.append(line)
            heard(line)

    listener = threading.Thread(target=listen, name=f"words of {what}", daemon=True)
    out: list[str] = []
    reader = threading.Thread(target=lambda: out.append(process.stdout.read() if process.stdout else ""), daemon=True)
    listener.start()
    reader.start()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise LabError(f"{what} has not ended after {seconds:g} s: {_last(said)}") from None
    finally:
        _end(process)
        for thread in (listener, reader):
            thread.join(_END_GRACE)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if code:
        raise LabError(f"{what} ended with {code}: {_last(said)}")
    return "".join(out)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and what it has started: it is the first of its own group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(_END_GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _last(said: Sequence[str]) -> str:
    """Return the end of what was said: kind's reason stands in its last lines."""
    return " ".join(" ".join(said).split())[-_WORDS:]
