"""System calls that Python 3.11 does not offer: namespaces, mounts, parent-death signal.

Each raises ``OSError`` with the kernel's errno. ``unshare`` and ``setns`` act on the calling thread alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

# linux/sched.h
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# linux/mount.h
MS_RDONLY = 1 << 0
MS_NOSUID = 1 << 1
MS_NODEV = 1 << 2
MS_NOEXEC = 1 << 3
MS_REMOUNT = 1 << 5
MS_BIND = 1 << 12
MS_MOVE = 1 << 13
MS_REC = 1 << 14
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36

# linux/fcntl.h, linux/mount.h
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY = 1

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
"""System call numbers: libc has no wrapper for pivot_root."""
_MOUNT_SETATTR = 442
"""The same on every architecture: numbers from 424 on are shared."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str, path: str | None = None) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}", path)


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces of the kinds in ``flags`` (``CLONE_NEW*``)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, nstype: int = 0) -> None:
    """Move the calling thread into the namespace behind ``fd``; ``nstype`` (``CLONE_NEW*``) guards its kind."""
    _check(_libc.setns(fd, nstype), "setns")


def mount(source: str | None, target: str, fstype: str | None = None, flags: int = 0, data: str = "") -> None:
    """Mount ``source`` of type ``fstype`` on ``target``; ``flags`` are ``MS_*``."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, fstype)]
    _check(_libc.mount(*encoded, flags, data.encode() or None), "mount", target)


def umount2(target: str, flags: int = 0) -> None:
    """Unmount ``target``; with ``MNT_DETACH`` even while it is busy."""
    _check(_libc.umount2(os.fsencode(target), flags), "umount2", target)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make ``new_root`` the root of this mount namespace and mount the old one at ``put_old`` (``"."`` is allowed)."""
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise NotImplementedError(f"no pivot_root system call number for {platform.machine()}")
    _check(_libc.syscall(number, os.fsencode(new_root), os.fsencode(put_old)), "pivot_root", new_root)


def prctl_pdeathsig(signal: int) -> None:
    """Have the kernel send ``signal`` to this process when the thread that forked it ends; 0 clears it.

    A parent that died before this call is not noticed: compare ``os.getppid()`` afterwards.
    """
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def prctl_subreaper() -> None:
    """Make this process the parent of orphans among its descendants, so that it can wait for them."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def bound_capabilities(kept: Collection[int]) -> None:
    """Let programs that this process becomes have these capabilities, by number, and no others, whoever runs them."""
    for number in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        if number not in kept:
            _check(_libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")


def make_tree_read_only(path: str) -> None:
    """Make the mount at ``path`` and all below it read-only (mount_setattr(2), Linux 5.12)."""
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(_MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), AT_RECURSIVE, attributes, len(attributes))
    _check(result, "mount_setattr", path)
