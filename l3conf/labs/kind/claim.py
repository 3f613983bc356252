"""One lab of kind at a time on a machine, and by whom things were made that nobody claims any more.

A claim is a socket in the kernel's abstract namespace: it is gone when its process is, SIGKILL included, and leaves
no file. Whoever holds it may remove what earlier runs *of this machine* left. Runs in another network namespace, or
on another machine that uses the same engine, do not see it; what they made bears another owner, and is left alone.
"""

from __future__ import annotations

import errno
import os
import platform
import socket
from pathlib import Path

from l3conf.errors import UserError

_PARTS = 3


class Claim:
    """Held from construction until ``close``, or until this process ends."""

    def __init__(self, engine: str) -> None:
        """``engine``: docker's id of itself. ``UserError`` if another run has the claim."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(f"\0l3conf-kind/{engine}")
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            remedy = "wait for its end: clusters of two runs would have the same ranges"
            raise UserError("another run has a lab of kind on this engine", where="--on kind", remedy=remedy) from None

    def close(self) -> None:
        """Let others have it. Idempotent."""
        self._socket.close()


def owner() -> str:
    """Return machine, boot and network namespace of this process."""
    return ":".join((_machine(), Path("/proc/sys/kernel/random/boot_id").read_text().strip(), _network_namespace()))


def may_be_dead(theirs: str, ours: str) -> bool:
    """Say whether whoever made something has ended for certain, if we hold the claim. Pure.

    On this machine: before its last start, or in this network namespace, where the claim would have shown it.
    """
    made, here = theirs.split(":"), ours.split(":")
    if len(made) != _PARTS or made[0] != here[0]:
        return False
    return made[1] != here[1] or made[2] == here[2]


def _machine() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(path).read_text().strip()
        except OSError:
            continue
    return platform.node()


def _network_namespace() -> str:
    return str(os.stat("/proc/self/ns/net").st_ino)  # noqa: PTH116 - what the link leads to
