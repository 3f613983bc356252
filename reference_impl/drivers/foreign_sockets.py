"""Sockets of a child process, reached through its descriptors (pidfd_getfd(2), Linux 5.6)."""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIDFD_GETFD = 438
"""The same on every architecture (asm-generic/unistd.h)."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT = 10, 23, 0
"""Of linux/in.h and linux/in6.h; the module ``socket`` lacks them."""


def let_fragment(pid: int, port: int | None = None) -> int:
    """Have the UDP sockets that a child has, at a port or at any, send without "don't fragment"; return how many.

    Where a link on the way is small and its router's errors are filtered, nobody is ever told of it (RFC 4821). A
    tunnel whose outer packets may be fragmented gets through all the same (RFC 4301, 8.1). ``OSError`` if they cannot
    be reached.
    """
    changed = 0
    for found in _sockets(pid):
        with closing(found):
            bound = _port(found) if found.type == socket.SOCK_DGRAM else 0
            if bound and port in {None, bound}:
                level, option = (
                    (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
                    if found.family == socket.AF_INET6
                    else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
                )
                found.setsockopt(level, option, _PMTUDISC_DONT)
                changed += 1
    return changed


def _sockets(pid: int) -> Iterator[socket.socket]:
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                if entry.readlink().name.startswith("socket:"):
                    yield socket.socket(fileno=_copy(process, int(entry.name)))
    finally:
        os.close(process)


def _copy(process: int, descriptor: int) -> int:
    copied = int(_LIBC.syscall(_PIDFD_GETFD, process, descriptor, 0))
    if copied < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return copied


def _port(found: socket.socket) -> int:
    return int(found.getsockname()[1]) if found.family in {socket.AF_INET, socket.AF_INET6} else 0
