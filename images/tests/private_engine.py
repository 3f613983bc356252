"""A docker engine in namespaces of its own: rules, links, sysctls and mounts that dockerd changes are not the host's.

::

    setpriv ── unshare (mount, network, pid, ipc, uts, cgroup namespaces) ── dockerd ── containerd, containers
       dies with this process        ends everything below when it dies

Images and containers are on a tmpfs of the mount namespace, so nothing is left of them either, also after SIGKILL, but
for empty control groups: those of an engine that was killed go when the next one ends. The tmpfs is at a short path,
because containerd's sockets are on it and the path of a socket has 107 bytes at most (unix(7)).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import docker

CONTROL_GROUPS = "l3conf-images-"
"""Beginning of the name of the containers' control groups, which are the host's: no namespace ends them."""
PATIENCE = 30.0
"""Seconds within which an engine answers, or has ended."""
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_NAMESPACES = ("--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--mount-proc")
_MOUNT = Path("/media")
"""Where the engine's own mount namespace has its tmpfs: Debian always has this directory, and keeps nothing in it."""
_START = """\
mount --make-rprivate /
mount -t tmpfs l3conf-images {mount}
mkdir {state}
ip link set lo up
exec dockerd --data-root {state}/lib --exec-root {state}/run --pidfile {state}/pid --host unix://{socket} \
  --cgroup-parent /{groups} --userland-proxy=false
"""


class NoEngineError(Exception):
    """No engine can be started here; the text says why."""


class PrivateEngine:
    """A running engine. A context manager; leaving it ends the engine and all that it made."""

    def __init__(self, directory: Path) -> None:
        """Start an engine whose socket is in ``directory``. ``NoEngineError`` where none starts."""
        _check_preconditions()
        self._log = directory / "log"
        self.socket = directory / "docker.sock"
        self._groups = f"{CONTROL_GROUPS}{os.getpid()}-{directory.name}"
        script = _START.format(
            mount=_MOUNT, state=_state_of(directory), socket=shlex.quote(str(self.socket)), groups=self._groups
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", *_NAMESPACES, "sh", "-ec", script],  # noqa: S607 - Debian's
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": _PATH},
                start_new_session=True,
            )
        self.client: Any = docker.DockerClient(base_url=f"unix://{self.socket}", version="1.41", timeout=60)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        for found in Path("/sys/fs/cgroup").rglob(f"{CONTROL_GROUPS}*"):
            if found.name == self._groups or not Path("/proc", found.name.split("-")[2]).exists():
                _remove_groups(found)

    @property
    def environment(self) -> dict[str, str]:
        """What the docker command needs to find this engine."""
        return {**os.environ, "PATH": _PATH, "DOCKER_HOST": f"unix://{self.socket}"}

    def inside(self, *command: str) -> str:
        """Return what a command prints in the engine's network."""
        return subprocess.run(
            ["nsenter", "--target", str(self._first), "--net", *command],  # noqa: S607 - Debian's
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE,
            env={"PATH": _PATH},
        ).stdout

    def processes(self) -> list[str]:
        """Return the commands of what lives on this host for the engine's sake."""
        return processes_of(self.socket.parent)

    @property
    def _first(self) -> int:
        """Process 1 of the engine's namespaces."""
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            if _listens(self.socket) and self.client.ping():
                return
            time.sleep(0.1)
        raise NoEngineError(f"dockerd does not start here: {' / '.join(self._log.read_text().splitlines()[-3:])}")


def processes_of(directory: Path) -> list[str]:
    """Return the commands on this host of the engine whose socket is in ``directory``, shims included."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(str(named) in command for named in (directory / "docker.sock", _state_of(directory))):
                found.append(command)
    return found


def _state_of(directory: Path) -> Path:
    """Return where the engine whose socket is in ``directory`` keeps its state, in its own mount namespace."""
    return _MOUNT / f"l3conf-{hashlib.blake2s(bytes(directory), digest_size=6).hexdigest()}"


def _listens(path: Path) -> bool:
    """Tell whether a connection is accepted; docker's client would leave a socket open for each that is not."""
    with socket.socket(socket.AF_UNIX) as trial, suppress(OSError):
        trial.connect(str(path))
        return True
    return False


def _remove_groups(top: Path) -> None:
    """Remove a control group and all below, which have no process any more."""
    for group in sorted((top, *top.rglob("*/")), reverse=True):
        with suppress(OSError):
            group.rmdir()


def _check_preconditions() -> None:
    if os.geteuid() != 0:
        raise NoEngineError("dockerd in namespaces of its own needs root")
    for command, package in {"dockerd": "docker.io", "setpriv": "util-linux", "ip": "iproute2"}.items():
        if shutil.which(command, path=_PATH) is None:
            raise NoEngineError(f"{command} is not installed: sudo apt-get install {package}")
