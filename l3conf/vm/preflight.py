"""What a machine needs that this host lacks, and how to get it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

EMULATORS = {"x86_64": ("qemu-system-x86_64", "qemu-system-x86"), "aarch64": ("qemu-system-aarch64", "qemu-system-arm")}
"""By ``uname -m``: QEMU's program and its Debian package."""
PACKAGE_OF = {
    "busybox": "busybox-static",
    "depmod": "kmod",
    "modprobe": "kmod",
    "file": "file",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
"""Programs and their Debian packages."""
DOWNLOADERS = ("apt-get", "apt-cache", "dpkg-deb")
"""Programs that fetch and unpack a kernel package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What this host has."""

    machine: str
    """``uname -m``."""
    programs: AbstractSet[str]
    virtme: bool
    """Whether virtme-ng can be imported."""
    fetches: bool
    """Whether a kernel package has to be fetched first."""


def needed_programs(machine: str, *, fetches: bool) -> tuple[str, ...]:
    """Return the programs of a machine; ``MissingPrerequisiteError`` for a processor that nobody has tried."""
    if machine not in EMULATORS:
        raise MissingPrerequisiteError(f"no virtual machine for {machine}", remedy=f"use {' or '.join(EMULATORS)}")
    return (EMULATORS[machine][0], *PACKAGE_OF, *(DOWNLOADERS if fetches else ()))


def check(found: Found) -> None:
    """Refuse a host that lacks something: ``MissingPrerequisiteError`` names everything at once, with its remedy."""
    absent = [name for name in needed_programs(found.machine, fetches=found.fetches) if name not in found.programs]
    what, remedies = [*absent], []
    if packages := _packages(absent, EMULATORS[found.machine]):
        remedies.append(f"apt-get install {' '.join(packages)}")
    if any(name in DOWNLOADERS for name in absent):
        remedies.append("on this distribution, give the path of a kernel with --kernel")
    if not found.virtme:
        what.append("virtme-ng")
        remedies.append("pip install 'l3conf[vm]'")
    if what:
        raise MissingPrerequisiteError(
            f"a virtual machine needs what is not here: {', '.join(what)}", remedy=" and ".join(remedies)
        )


def _packages(absent: Iterable[str], emulator: tuple[str, str]) -> list[str]:
    package_of = {**PACKAGE_OF, emulator[0]: emulator[1]}
    return sorted({package_of[name] for name in absent if name in package_of})
