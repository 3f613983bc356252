"""Directories whose content changes all at once, as the kubelet's AtomicWriter has them.

::

    <volume>/..2026_11_23_00_00_00.1/ca.crt     the content
    <volume>/..data -> ..2026_11_23_00_00_00.1   swapped by rename
    <volume>/ca.crt -> ..data/ca.crt             what programs open
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DATA = "..data"
_NEW_DATA = "..data_tmp"


@dataclass(frozen=True, slots=True)
class Content:
    """One file."""

    data: bytes
    mode: int = 0o644


def write(directory: Path, files: Mapping[str, Content], *, generation: int) -> bool:
    """Make ``directory`` hold exactly ``files`` (by relative path); return whether anything changed.

    ``generation`` must differ from that of the content in place.
    """
    if _current(directory) == dict(files):
        return False
    fresh = f"..{generation}"
    for path, content in files.items():
        target = directory / fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.data)
        target.chmod(content.mode)
    (directory / fresh).mkdir(parents=True, exist_ok=True)
    old = _link_target(directory / _DATA)
    _swap(directory, fresh)
    _show(directory, {path.split("/", 1)[0] for path in files})
    if old is not None:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _current(directory: Path) -> dict[str, Content] | None:
    data = directory / _DATA
    if not data.is_dir():
        return None
    return {
        str(path.relative_to(data)): Content(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in data.rglob("*")
        if path.is_file()
    }


def _link_target(link: Path) -> str | None:
    return str(link.readlink()) if link.is_symlink() else None


def _swap(directory: Path, fresh: str) -> None:
    """Rename replaces a symbolic link atomically; making one in place cannot."""
    temporary = directory / _NEW_DATA
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh)
    os.replace(temporary, directory / _DATA)  # noqa: PTH105 - Path.replace would be the same call


def _show(directory: Path, names: set[str]) -> None:
    """Link the first path components of what is there, unlink what is gone."""
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
