"""Run a test in user, network, mount and pid namespaces of its own, as uid 0 there, without root here.

``@sandboxed`` on a test, or ``run_in_sandbox(function)`` inside one. Fixtures are passed on as they are
(the function runs in a forked copy of this process), results and exceptions come back pickled. Loopback is up,
/proc is the sandbox's own, and everything the function leaves behind ends with it.
"""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import pickle
import select
import signal
import socket
import struct
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from l3conf.emulator.kernel.namespaces import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    mount,
    prctl_pdeathsig,
    unshare,
)
from l3conf.emulator.kernel.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_TIMEOUT = 110.0
"""Seconds a sandboxed function may take: less than pytest allows a test, and many times what any takes."""

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


class SandboxError(RuntimeError):
    """The sandboxed function ended without an answer, or with one that cannot be pickled."""


def run_in_sandbox(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in a forked child inside fresh namespaces; return its result or raise its exception.

    The exception carries the child's traceback as a note. Unclosed sockets and files count as failures there
    too. Raises ``TimeoutError`` after ``DEFAULT_TIMEOUT`` seconds; the child and all its children have ended then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = _fork()
    if child == 0:
        os.close(reader)
        _isolate_and_call(writer, functools.partial(function, *args, **kwargs))
    os.close(writer)
    try:
        answer = _read_all(reader, DEFAULT_TIMEOUT)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not answer:
        raise SandboxError("the sandbox ended without an answer; its stderr says why")
    error, result = pickle.loads(answer)  # noqa: S301 - written by our own child
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def sandboxed(test: Callable[P, R]) -> Callable[P, R]:
    """Make every call of ``test`` a sandboxed one; fixtures and parameters stay as they are."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_in_sandbox(test, *args, **kwargs)

    return wrapper


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns about forking beside threads; the child only runs the test and never returns.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _read_all(fd: int, timeout: float) -> bytes:
    parts = bytearray()
    while True:
        ready, _, _ = select.select([fd], [], [], timeout)
        if not ready:
            raise TimeoutError(f"the sandboxed function was still running after {timeout:g} s")
        part = os.read(fd, 1 << 16)
        if not part:
            return bytes(parts)
        parts += part


def _isolate_and_call(writer: int, call: Callable[[], object]) -> NoReturn:
    """In the child: enter the namespaces, become pid 1 by one more fork, call, answer, vanish."""
    try:
        prctl_pdeathsig(signal.SIGKILL)
        _enter_namespaces()
        init = _fork()
        if init == 0:
            prctl_pdeathsig(signal.SIGKILL)
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
            _write_all(writer, _outcome(call))
            os._exit(0)
        os.close(writer)
        os.waitpid(init, 0)
    except BaseException:  # noqa: BLE001 - a forked child must never return into the test runner
        traceback.print_exc()
    finally:
        os._exit(1)


def _enter_namespaces() -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))


def _outcome(call: Callable[[], object]) -> bytes:
    """Call, and pickle ``(exception, result)``; whatever is left unclosed afterwards is an exception too."""
    leaks: list[BaseException] = []
    sys.unraisablehook = lambda unraisable: leaks.append(unraisable.exc_value or RuntimeError(unraisable.err_msg))
    gc.freeze()  # the parent's garbage is not this function's leak
    error: BaseException | None = None
    result: object = None
    try:
        result = call()
    except BaseException as raised:  # noqa: BLE001 - pytest.skip and friends are BaseExceptions
        raised.add_note("in the sandbox:\n" + "".join(traceback.format_exception(raised)))
        error = raised.with_traceback(None)
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    return _pickled(error or next(iter(leaks), None), result)


def _pickled(error: BaseException | None, result: object) -> bytes:
    try:
        answer = pickle.dumps((error, result))
        pickle.loads(answer)  # noqa: S301 - our own; many exceptions pickle but do not unpickle
    except Exception as failure:  # noqa: BLE001 - pickle raises whatever __reduce__ raises
        what = f"cannot be pickled ({failure!r})"
        said = "".join(traceback.format_exception(error)) if error else f"result {result!r}"
        return pickle.dumps((SandboxError(f"{said}\n{what}"), None))
    return answer


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
