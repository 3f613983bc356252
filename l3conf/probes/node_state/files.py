"""Sysctls and file names, as state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.probes.node_state import State

SYSCTLS = Path("/proc/sys/net")
DIRECTORIES = (Path("/run"), Path("/etc/cni"), Path("/opt/cni"))
_OWNER_WRITES, _OWNER_READS = 0o200, 0o400
_DEPTH = 5
_GENERATED = frozenset({"stable_secret", "tcp_fastopen_key", "netdev_rss_key", "flush"})
"""Sysctls that the kernel fills with random numbers, or that are commands."""
_OTHERS = frozenset(
    {
        Path("/run/containerd"),
        Path("/run/docker"),
        Path("/run/crio"),
        Path("/run/containers"),
        Path("/run/systemd"),
        Path("/run/udev"),
        Path("/run/user"),
        Path("/run/log"),
    }
)
"""Directories of container runtimes and the init system: thousands of names that come and go with every process."""


def sysctls(root: Path = SYSCTLS) -> State:
    """Return the value of every writable sysctl below ``net``; a dot in a device's name is written ``/``."""
    state: State = {}
    for path in _files_below(root):
        mode = path.stat().st_mode
        if not mode & _OWNER_WRITES or not mode & _OWNER_READS or path.name in _GENERATED:
            continue
        name = ".".join(part.replace(".", "/") for part in (root.name, *path.relative_to(root).parts))
        try:
            state[f"sysctl/{name}"] = " ".join(path.read_text().split())
        except OSError as error:
            state[f"sysctl/{name}"] = f"unreadable: {error.strerror}"
    return state


def names(directories: tuple[Path, ...] = DIRECTORIES) -> State:
    """Return the names of files, not their contents: down to five levels, never into another file system."""
    state: State = {}
    for directory in directories:
        for path, kind in _entries_below(directory, _DEPTH):
            state[f"file{path}"] = kind
    return state


def _files_below(root: Path) -> Iterator[Path]:
    for directory, _, files in os.walk(root):
        for name in files:
            yield Path(directory, name)


def _entries_below(directory: Path, depth: int) -> Iterator[tuple[Path, str]]:
    if directory in _OTHERS:
        return
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        yield directory, f"unreadable: {error.strerror}"
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_symlink() or not entry.is_dir():
            yield path, "link" if entry.is_symlink() else "file"
        elif path.is_mount():
            yield path, "mount"
        else:
            yield path, "directory"
            if depth:
                yield from _entries_below(path, depth - 1)
