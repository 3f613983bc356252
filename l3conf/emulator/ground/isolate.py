"""Into the lab's own namespaces: user, net, mount, pid, ipc, uts; as root and as anybody else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.emulator.ground.container_root import cover_keeping
from l3conf.emulator.ground.state import INSIDE
from l3conf.emulator.kernel.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    make_tree_read_only,
    mount,
    unshare,
)
from l3conf.errors import MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRITABLE = ("/proc", "/dev", "/sys")
"""Not part of the read-only host tree: the lab mounts or needs its own."""


_REMEDY = (
    "allow them: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0; a chroot forbids them altogether"
)


def enter_namespaces() -> None:
    """Move this (single-threaded) process into new namespaces; its next child is pid 1 of the lab."""
    uid, gid = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise MissingPrerequisiteError(
            f"this user cannot make user namespaces: {error.strerror}",
            where="unshare",
            remedy=_REMEDY,
        ) from None


def check_namespaces() -> None:
    """Try in a child whether this user can make user namespaces; ``MissingPrerequisiteError`` if not."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            enter_namespaces()
        except MissingPrerequisiteError as error:
            os.write(writing, error.what.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        refusal = said.read().decode()
    os.waitpid(child, 0)
    if refusal:
        raise MissingPrerequisiteError(refusal, where="unshare", remedy=_REMEDY)


def code_directories() -> tuple[str, ...]:
    """Return the directories of the interpreter and of this package, which labs and containers must see."""
    return tuple(sorted({sys.prefix, sys.base_prefix, str(Path(__file__).parents[3])}))


def furnish_lab(keep: Sequence[str]) -> None:
    """Give pid 1 of the lab its file system: the host's read-only, own /run, /tmp and /proc.

    ``keep`` are directories that must stay visible even if they lie below /run or /tmp: code and interpreter.
    """
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    with suppress(OSError):  # before Linux 5.12 the host's tree stays as writable as the user's rights make it
        for entry in Path("/").iterdir():
            if str(entry) not in _WRITABLE and entry.is_dir() and not entry.is_symlink():
                mount(str(entry), str(entry), flags=MS_BIND | MS_REC)
                make_tree_read_only(str(entry))
    for directory in ("/run", "/tmp"):  # noqa: S108 - mount points, not temporary files
        cover_keeping(directory, keep)
    INSIDE.mkdir(mode=0o700)
    with suppress(OSError):  # locked by a container engine, or the same already: it serves as it is
        mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV)
