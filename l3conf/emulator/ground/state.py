"""Where a lab's files are: in its own tmpfs, seen from the host through /proc, gone when the lab is gone.

Kubeconfigs hold admin tokens; they never touch a disk, and no crash can leave them behind.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from l3conf.errors import MissingPrerequisiteError, UserError

INSIDE = Path("/run/l3conf")
"""The state directory as the lab's own processes see it."""
CONTROL_SOCKET = "control.sock"
FACTS = "lab.json"
_START = 120.0
"""Seconds after which a lab is not starting any more, whatever has its process id now; twice the default of T_lab."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def seen_from_host(emulator_pid: int) -> Path:
    """Return the state directory of a lab as processes of the same user outside see it."""
    return Path(f"/proc/{emulator_pid}/root{INSIDE}")


def registry() -> Path:
    """Return the directory of links to this user's named labs; made with mode 0700."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    directory = Path(base) / "l3conf" if base else Path(tempfile.gettempdir()) / f"l3conf-{os.getuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077 or not stat.S_ISDIR(status.st_mode):
        raise MissingPrerequisiteError(
            "the directory of running labs must belong to you alone",
            where=str(directory),
            remedy="remove it or set XDG_RUNTIME_DIR",
        )
    return directory


def named_labs() -> dict[str, Path]:
    """Return the state directories of this user's running named labs; links to dead ones are removed."""
    labs = {}
    for link in sorted(registry().iterdir()):
        if link.is_symlink():
            if read_facts(link) is not None:
                labs[link.name] = link
            elif not _may_be_starting(link):
                link.unlink(missing_ok=True)
    return labs


def _may_be_starting(link: Path) -> bool:
    """Whether a lab that says nothing of itself has only just claimed its name: it does so before anything else."""
    with suppress(OSError):
        process = Path(*link.readlink().parts[:3])
        return process.exists() and time.time() - link.lstat().st_mtime < _START
    return False


def find_lab(name: str | None) -> Path:
    """Return the state directory of the lab of that name, or of the only one."""
    labs = named_labs()
    if name is None and len(labs) == 1:
        return next(iter(labs.values()))
    if name in labs:
        return labs[name]
    if name is not None:
        _check_name(name)
        known = f"running: {', '.join(labs)}" if labs else "none is running"
        raise UserError(f"no lab named {name!r}", remedy=f"{known}; start one with: l3conf lab up TOPOLOGY")
    if labs:
        raise UserError("several labs are running", remedy=f"name one of them: {', '.join(labs)}")
    raise UserError("no lab is running", remedy="start one with: l3conf lab up TOPOLOGY")


def claim_name(name: str, emulator_pid: int) -> Path:
    """Register a running lab under a name; ``UserError`` if another one has it."""
    _check_name(name)
    link = registry() / name
    named_labs()
    try:
        link.symlink_to(seen_from_host(emulator_pid))
    except FileExistsError:
        remedy = f"end it with: l3conf lab down {name}, or choose another: --name"
        raise UserError(f"a lab named {name!r} is already running", remedy=remedy) from None
    return link


def release_name(name: str, emulator_pid: int) -> None:
    """Remove the registration if it is still this lab's."""
    link = registry() / name
    with suppress(OSError):
        if link.readlink() == seen_from_host(emulator_pid):
            link.unlink()


def read_facts(directory: Path) -> dict[str, Any] | None:
    """Return what a lab says of itself, or None if it is not there or not ready."""
    try:
        facts = json.loads((directory / FACTS).read_bytes())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot name a lab", remedy="use lower-case letters, digits and dashes, at most 63")
