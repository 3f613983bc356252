"""The file system that a container sees: the host's, read-only, with its own /run, /tmp, /proc and mounts.

Nothing that a pod writes may reach the host: a mount point that does not exist is made in a copy of its
directory, a tmpfs whose entries are bind mounts of the originals.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRATCH = "/run/.l3conf-root"
_OWN_TMPFS = ("/run", "/tmp")  # noqa: S108 - mount points, not temporary files


def enter_container_root(mounts: Sequence[tuple[str, str, bool]], keep: Sequence[str] = ()) -> None:
    """Give the calling process (alone in new mount and pid namespaces) its container's file system.

    ``mounts`` are (source, target, read-only); ``keep`` are directories to leave visible below /run and /tmp.
    Raises ``OSError`` naming the mount that failed.
    """
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    sources = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _target, _read_only in mounts]
    mount("proc", "/proc", "proc")
    for directory in _OWN_TMPFS:
        cover_keeping(directory, keep)
    with suppress(OSError):  # locked by a container engine, or the same already: it serves as it is
        mount("sysfs", "/sys", "sysfs")
    root = _Root()
    for source, (_path, target, read_only) in zip(sources, mounts, strict=True):
        root.bind(source, Path(target), read_only=read_only)
        os.close(source)


def cover_keeping(directory: str, keep: Sequence[str] = ()) -> None:
    """Cover ``directory`` with an empty tmpfs, but keep the directories in ``keep`` that lie below it."""
    kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in keep if _below(path, directory)]
    mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755" if directory == "/run" else "mode=1777")
    for path, descriptor in kept:
        Path(path).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", path, flags=MS_BIND | MS_REC)
        os.close(descriptor)


def _below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


class _Root:
    """Mount points of one container, made where the host has none."""

    def __init__(self) -> None:
        os.mkdir(_SCRATCH)  # noqa: PTH102 - opened by descriptor at once: a volume may soon cover /run
        self._scratch = Path(f"/proc/self/fd/{os.open(_SCRATCH, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}")
        self._shadowed: set[Path] = set()

    def bind(self, source: int, target: Path, *, read_only: bool) -> None:
        """Show what the descriptor ``source`` names at ``target``."""
        path = f"/proc/self/fd/{source}"
        self._make_mount_point(target, directory=Path(path).is_dir())
        mount(path, str(target), flags=MS_BIND | MS_REC)
        if read_only:
            mount(None, str(target), flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)

    def _make_mount_point(self, target: Path, *, directory: bool) -> None:
        if target.exists():
            return
        ancestor = next(parent for parent in target.parents if parent.exists()).resolve()
        if not self._is_own(ancestor):
            self._shadow(ancestor)
        (target if directory else target.parent).mkdir(parents=True, exist_ok=True)
        if not directory:
            target.touch()

    def _is_own(self, directory: Path) -> bool:
        """Return whether a directory belongs to this container alone: what is made there never shows elsewhere."""
        if any(directory == Path(own) or _below(str(directory), own) for own in _OWN_TMPFS):
            return True
        return directory in self._shadowed

    def _shadow(self, directory: Path) -> None:
        """Replace ``directory`` by a tmpfs that shows the same entries and takes new ones."""
        copy = self._scratch / (directory.as_posix().strip("/").replace("/", "-") or "-")
        copy.mkdir()
        mount("tmpfs", str(copy), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
        for entry in directory.iterdir():
            twin = copy / entry.name
            if entry.is_symlink():
                twin.symlink_to(entry.readlink())
            elif entry.is_dir():
                twin.mkdir()
                mount(str(entry), str(twin), flags=MS_BIND | MS_REC)
            else:
                twin.touch()
                mount(str(entry), str(twin), flags=MS_BIND)
        if directory == Path("/"):
            os.chroot(copy)
        else:
            mount(str(copy), str(directory), flags=MS_BIND | MS_REC)
        self._shadowed.add(directory)
