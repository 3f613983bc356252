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


_RCVBUFFORCE = 33
"""``SO_RCVBUFFORCE`` (asm-generic/socket.h): beyond ``net.core.rmem_max``, for who has CAP_NET_ADMIN."""


def fit_for_tunnels(pid: int, port: int | None = None, *, room: int = 0) -> int:
    """Make the UDP sockets that a child has, at a port or at any, fit to carry packets of others; return how many.

    They send without "don't fragment": where a link on the way is small and its router's errors are filtered, nobody is
    ever told of it (RFC 4821). A tunnel whose outer packets may be fragmented gets through all the same (RFC 4301,
    8.1). ``room``: bytes, as the kernel counts them, of packets that may wait while the child does not run, if that is
    more than the kernel gives anyway. ``OSError`` if they cannot be reached.
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
                _make_room(found, room)
                changed += 1
    return changed


def _make_room(found: socket.socket, room: int) -> None:
    """Have the kernel keep so much room for what arrives; as much as anybody may ask for, where it grants no more."""
    if found.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 2 * room:  # it says twice what was asked for
        return
    try:
        found.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, room)
    except PermissionError:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)


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
