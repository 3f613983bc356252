"""Network namespaces held by file descriptor, and sockets that live in them.

A namespace has no name and no mount: it exists as long as a descriptor, a socket or a process holds it, so
the death of the lab's process removes it. System calls of ``kernel.syscalls`` are exported here as well.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    mount,
    pivot_root,
    prctl_pdeathsig,
    setns,
    umount2,
    unshare,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

__all__ = [
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWTIME",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "NetworkNamespace",
    "away",
    "mount",
    "pivot_root",
    "prctl_pdeathsig",
    "setns",
    "umount2",
    "unshare",
]

_OWN = "/proc/thread-self/ns/net"
"""setns and unshare are per thread: /proc/self would name the main thread's namespace."""


@contextmanager
def away() -> Iterator[None]:
    """Let the calling thread go from namespace to namespace, and bring it home. Never ``await`` or ``yield`` inside."""
    with NetworkNamespace.current() as home:
        try:
            yield
        finally:
            setns(home.fd, CLONE_NEWNET)


class NetworkNamespace:
    """A network namespace, kept alive by the descriptor that this object owns."""

    __slots__ = ("fd",)

    fd: int
    """Close-on-exec descriptor; -1 once closed."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def current(cls) -> Self:
        """Return the namespace of the calling thread."""
        return cls(os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def create(cls) -> Self:
        """Make a new, empty namespace; the calling thread ends in its own again."""
        with away():
            return cls.unshared()

    @classmethod
    def unshared(cls) -> Self:
        """Make a new, empty namespace and leave the calling thread in it: for use within ``away``."""
        unshare(CLONE_NEWNET)
        return cls.current()

    @property
    def path(self) -> str:
        """A path that ``setns`` and ``nsenter --net=`` accept, for processes that see this process in /proc."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into this namespace and back. Never ``await`` or ``yield`` to others inside."""
        with away():
            setns(self.fd, CLONE_NEWNET)
            yield

    def socket(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - as socket.socket has it
        """Open a socket that lives in this namespace for good, wherever its users run."""
        with self.entered():
            return socket.socket(family, type, proto)

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it once nobody else holds it. Idempotent."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"NetworkNamespace(fd={self.fd})"
