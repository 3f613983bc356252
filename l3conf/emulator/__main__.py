"""The supervisor of one lab: ``python -m l3conf.emulator STATUS_FD LIFELINE_FD < request``.

Binds the host's listening sockets and forks a gate, which enters the lab's namespaces and forks the emulator (pid 1
in there). The supervisor stays on the host and waits: when the lifeline closes, it kills the emulator, and with
it everything in its pid namespace. Should supervisor or gate be killed, the kernel kills the emulator.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from l3conf.emulator.ground.isolate import code_directories, enter_namespaces, furnish_lab
from l3conf.emulator.ground.spawner import fork_spawner
from l3conf.emulator.ground.state import claim_name, release_name
from l3conf.emulator.kernel.syscalls import prctl_pdeathsig
from l3conf.errors import L3confError, MissingPrerequisiteError, UserError

if TYPE_CHECKING:
    from l3conf.emulator.ground.launch import LaunchRequest

_COLLECT_EVERY = 20_000
"""Allocations between two collections: requests leave no cycles behind, and every collection has its price."""


def main() -> int:
    """Run one lab to its end; return the exit code."""
    status, lifeline = int(sys.argv[1]), int(sys.argv[2])
    for descriptor in (status, lifeline):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - os's signature
    try:
        request: LaunchRequest = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own starter, same package
        return _supervise(request, status, lifeline)
    except L3confError as error:
        kind = "prerequisite" if isinstance(error, MissingPrerequisiteError | UserError) else "lab"
        tell(status, error=error.what, where=error.where, remedy=error.remedy, kind=kind)
        return 3 if isinstance(error, UserError) else 2


def tell(status: int, **news: Any) -> None:  # noqa: ANN401 - JSON
    """Write one status line to the starter; it may be gone already."""
    with suppress(OSError):
        os.write(status, json.dumps(news).encode() + b"\n")


def _supervise(request: LaunchRequest, status: int, lifeline: int) -> int:
    api_servers = [cluster.name for cluster in request.topology.clusters] + ["broker"]
    host_sockets = {name: _listen_on_loopback() for name in api_servers}
    told, tell_pid = os.pipe2(os.O_CLOEXEC)
    go, give_go = os.pipe2(os.O_CLOEXEC)
    gate = os.fork()
    if gate == 0:
        os.close(give_go)
        _run_gate(request, host_sockets, status, tell_pid, go)
    for descriptor in (tell_pid, go):
        os.close(descriptor)
    for listener in host_sockets.values():
        listener.close()
    said = os.read(told, 32)
    if not said:  # the gate has said why on the status line
        return os.waitstatus_to_exitcode(os.waitpid(gate, 0)[1])
    emulator = int(said)
    tell(status, pid=emulator)
    try:
        if request.background:
            claim_name(request.name, emulator)
        os.write(give_go, b".")
        os.close(status)
        return _wait(gate, emulator, -1 if request.background else lifeline)
    finally:
        with suppress(ProcessLookupError):
            os.kill(emulator, signal.SIGKILL)
        if request.background:
            release_name(request.name, emulator)


def _run_gate(
    request: LaunchRequest, host_sockets: dict[str, socket.socket], status: int, tell_pid: int, go: int
) -> NoReturn:
    """Enter the namespaces, fork the lab's pid 1 and wait for it. The supervisor itself stays on the host."""
    code = 1
    try:
        supervisor = os.getppid()
        prctl_pdeathsig(signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)
        enter_namespaces()
        emulator = os.fork()
        if emulator == 0:
            os.close(tell_pid)
            _run_emulator(request, host_sockets, status, go)
        os.write(tell_pid, str(emulator).encode())
        for descriptor in (tell_pid, go, status):
            os.close(descriptor)
        for listener in host_sockets.values():
            listener.close()
        code = os.waitstatus_to_exitcode(os.waitpid(emulator, 0)[1])
    except L3confError as error:
        tell(status, error=error.what, where=error.where, remedy=error.remedy, kind="prerequisite")
    finally:
        os._exit(code if code >= 0 else 128 - code)


def _listen_on_loopback() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)  # noqa: FBT003 - socket's signature
    return listener


def _run_emulator(request: LaunchRequest, host_sockets: dict[str, socket.socket], status: int, go: int) -> NoReturn:
    """Pid 1 of the lab."""
    code = 1
    try:
        prctl_pdeathsig(signal.SIGKILL)
        if os.read(go, 1) != b".":  # the supervisor gave up, or is gone and this process with it
            os._exit(1)
        os.chdir("/")
        keep = (*code_directories(), *request.visible)
        furnish_lab(keep)
        spawner = fork_spawner(keep)
        from l3conf.emulator.lab import run_lab  # noqa: PLC0415 - after the spawner was forked off small

        gc.freeze()  # what was imported stays: no collection needs to look at it again
        gc.set_threshold(_COLLECT_EVERY)
        code = run_lab(request, host_sockets, spawner, lambda **news: tell(status, **news))
    except L3confError as error:
        kind = "prerequisite" if isinstance(error, UserError) else "lab"
        tell(status, error=error.what, where=error.where, remedy=error.remedy, kind=kind)
    except BaseException as error:  # noqa: BLE001 - the last place that can say anything
        tell(status, error=f"{type(error).__name__}: {error}", where="emulator", kind="lab")
        if os.environ.get("L3CONF_DEBUG"):
            import traceback  # noqa: PLC0415 - the lab is about to end

            traceback.print_exc()
    finally:
        os._exit(code)


def _wait(gate: int, emulator: int, lifeline: int) -> int:
    """Wait for the lab's end; bring it about when the lifeline closes or a signal asks for it."""
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    watched = [woken] if lifeline < 0 else [woken, lifeline]
    while True:
        ended, result = os.waitpid(gate, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(result)
            return code if code >= 0 else 128 - code
        readable, _, _ = select.select(watched, [], [])
        signals = os.read(woken, 4096) if woken in readable else b""
        if lifeline in readable or any(number != signal.SIGCHLD for number in signals):
            with suppress(ProcessLookupError):
                os.kill(emulator, signal.SIGKILL)
            watched = [woken]


if __name__ == "__main__":
    sys.exit(main())
