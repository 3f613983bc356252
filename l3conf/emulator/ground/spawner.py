"""Forks containers: a small single-threaded process inside the lab, forked off before anything heavy is imported.

A container is a process that is pid 1 of a pid namespace of its own, so that ending it ends all it started,
with its own mounts, hostname and IPC objects, in the network namespace of its pod.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from l3conf.emulator.ground.container_root import enter_container_root
from l3conf.emulator.ground.messages import ProcessEnded, SpawnReply, SpawnRequest, receive, send
from l3conf.emulator.kernel.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    bound_capabilities,
    prctl_pdeathsig,
    prctl_subreaper,
    setns,
    unshare,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTAINER_NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
_STANDARD_DESCRIPTORS = 3


def fork_spawner(keep: Sequence[str] = ()) -> socket.socket:
    """Fork the spawner off and return the emulator's end of the channel to it (non-blocking).

    ``keep`` are directories that containers must see even if they lie below /run or /tmp.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    if os.fork() == 0:
        ours.close()
        _guarded(serve, theirs, keep)
    theirs.close()
    ours.settimeout(0)
    return ours


def serve(channel: socket.socket, keep: Sequence[str]) -> None:
    """Start processes on request and report their ends, until the emulator closes the channel."""
    prctl_pdeathsig(signal.SIGKILL)
    prctl_subreaper()
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a foreground lab is the launcher's to handle
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj is channel:
                    received = receive(channel)
                    if received is None:
                        return
                    if isinstance(received.message, SpawnRequest):
                        _answer(channel, received.message, received.descriptors, keep)
                else:
                    with suppress(BlockingIOError):
                        os.read(woken, 4096)
            _reap(channel)


def _answer(channel: socket.socket, request: SpawnRequest, descriptors: list[int], keep: Sequence[str]) -> None:
    try:
        pid = _start(request, descriptors, keep)
    except OSError as error:
        reply = SpawnReply(id=request.id, errno=error.errno or 0, message=str(error))
    else:
        reply = SpawnReply(id=request.id, pid=pid)
    for descriptor in descriptors:
        os.close(descriptor)
    send(channel, reply)


def _reap(channel: socket.socket) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            code = os.waitstatus_to_exitcode(ended[1])
            send(channel, ProcessEnded(pid=ended[0], exit_code=code if code >= 0 else 128 - code))


def _start(request: SpawnRequest, descriptors: Sequence[int], keep: Sequence[str]) -> int:
    """Fork twice: the first child enters the namespaces, the second is born in the pid namespace."""
    report, reporting = os.pipe2(os.O_CLOEXEC)
    middle = os.fork()
    if middle == 0:
        _guarded(_enter_and_fork, request, descriptors, keep, reporting)
    os.close(reporting)
    with os.fdopen(report, "rb") as reader:
        lines = reader.read().decode().splitlines()  # ends when the program runs: the pipe is close-on-exec
    os.waitpid(middle, 0)
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "failed":
            number, _, message = rest.partition(" ")
            raise OSError(int(number), message)
    if not lines:
        raise OSError(0, "the container's parent ended without a word")
    return int(lines[0].partition(" ")[2])


def _enter_and_fork(request: SpawnRequest, descriptors: Sequence[int], keep: Sequence[str], reporting: int) -> None:
    try:
        _enter_namespaces(request)
        pid = os.fork()
        if pid:
            os.write(reporting, f"pid {pid}\n".encode())
            os._exit(0)
        _become(request, descriptors, keep)
    except OSError as error:
        os.write(reporting, f"failed {error.errno or 0} {error.strerror}: {error.filename or ''}\n".encode())


def _enter_namespaces(request: SpawnRequest) -> None:
    if request.join:
        kinds = ("pid", "net", "ipc", "uts", "mnt")
        opened = [os.open(f"/proc/{request.join}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
        root = os.open(f"/proc/{request.join}/root", os.O_PATH | os.O_CLOEXEC)
        for descriptor in opened:
            setns(descriptor)
        os.fchdir(root)
        os.chroot(".")
        return
    network = os.open(request.network, os.O_RDONLY | os.O_CLOEXEC)
    setns(network, CLONE_NEWNET)
    unshare(_CONTAINER_NAMESPACES)


def _become(request: SpawnRequest, descriptors: Sequence[int], keep: Sequence[str]) -> None:
    """Turn into the program; only returns by raising ``OSError``."""
    if not request.join:
        enter_container_root(request.mounts, keep)
        if request.hostname:
            socket.sethostname(request.hostname)
    os.setsid()
    for number, descriptor in enumerate(descriptors[:_STANDARD_DESCRIPTORS]):
        os.dup2(descriptor, number, inheritable=True)
    if request.tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request.working_directory)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if request.capabilities is not None:
        bound_capabilities(request.capabilities)
    os.execvpe(request.argv[0], request.argv, request.env)  # noqa: S606 - that is what a container runtime does


def _guarded(function: object, *arguments: object) -> NoReturn:
    """Run a forked child's work; it must never return into the parent's code."""
    try:
        function(*arguments)  # type: ignore[operator]
    except BaseException as error:  # noqa: BLE001 - nobody above could handle it
        sys.stderr.write(f"spawner: {error!r}\n")
        os._exit(1)
    os._exit(0)
