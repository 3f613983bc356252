"""Which capabilities a container's processes have: what its securityContext makes of a container runtime's default.

A lab has one user, the root of its user namespace, so ``runAsUser`` changes nothing here and capabilities are all that
tells a container that may change a network from one that may not. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = (  # noqa: SIM905 - lines of words are easier to hold against the header
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN"
    " SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE"
    " MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
"""By number, without ``CAP_`` (linux/capability.h)."""
DEFAULT = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What containerd and docker give a container that says nothing."""


def capabilities(container: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the numbers of a container's capabilities, ascending; None for all, as privileged ones have.

    As the runtime has it, what is added counts after what is dropped, and ``ALL`` is each of them. Others do not count.
    """
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        return None
    wished = security.get("capabilities") or {}
    added, dropped = ({str(name).removeprefix("CAP_") for name in wished.get(what) or ()} for what in ("add", "drop"))
    start = frozenset(NAMES) if "ALL" in added else frozenset() if "ALL" in dropped else DEFAULT
    kept = (start - dropped) | added
    return tuple(number for number, name in enumerate(NAMES) if name in kept)
