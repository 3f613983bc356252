"""What an engine and a machine must have for clusters of kind: pure, but for ``look``.

Numbers are those of others: inotify limits of kind's "Known Issues" (pod errors due to "too many open files"),
memory of kubeadm, whose own checks ask for 1700 MB for a control plane (``ControlPlaneMem``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.labs.existing.settings import PROBE_IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.labs.kind.engine import Engine
    from l3conf.labs.kind.settings import KindSettings

INSTANCES, WATCHES = 512, 524288
CONTROL_PLANE_MB = 1700
_MB = 1 << 20
_INOTIFY = Path("/proc/sys/fs/inotify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found."""

    info: Mapping[str, Any]
    """What docker says of itself."""
    missing_images: Sequence[str] = ()
    """Of those that are to be loaded into nodes."""
    instances: int | None = None
    """``fs.inotify.max_user_instances``; None where the engine's machine is another one. Likewise below."""
    watches: int | None = None
    available_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is missing."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} ({self.remedy})"


def problems(facts: Facts, *, control_planes: int) -> list[Problem]:
    """Return everything that is missing for a lab with so many control planes. Pure."""
    found = [Problem(*each) for each in _of_engine(facts.info)]
    for name, value, needed in (("instances", facts.instances, INSTANCES), ("watches", facts.watches, WATCHES)):
        if value is not None and value < needed:
            setting = f"fs.inotify.max_user_{name}"
            found.append(Problem(f"{setting} is {value}, and is to be {needed}", f"sysctl -w {setting}={needed}"))
    found += memory_problems(facts, control_planes)
    for image in facts.missing_images:
        how = "make images REGISTRY=ghcr.io/l3conf" if image == PROBE_IMAGE else "docker pull or build it"
        found.append(Problem(f"docker has no image {image}", f"{how}, or name another one"))
    return found


def memory_problems(facts: Facts, control_planes: int) -> list[Problem]:
    """Return what is missing in memory for so many control planes. Pure."""
    total = int(facts.info.get("MemTotal") or 0) // _MB
    have = min(total, facts.available_mb) if facts.available_mb is not None else total
    needed = control_planes * CONTROL_PLANE_MB
    if have >= needed:
        return []
    what = f"{have} MB of memory are free, and {control_planes} control planes take {needed} MB"
    return [Problem(what, "end other programs, give docker's machine more, or choose topologies with fewer clusters")]


def _of_engine(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if info.get("OSType") != "linux":
        found.append(
            (f"docker runs {info.get('OSType') or 'unknown'} containers", "use an engine for Linux containers")
        )
    options = ",".join(info.get("SecurityOptions") or ())
    if "rootless" in options:
        found.append(("docker runs without root, and routers need its networks", "use an engine that runs as root"))
    if not info.get("IPv4Forwarding", True):
        found.append(("docker has IPv4 forwarding off", "sysctl -w net.ipv4.ip_forward=1"))
    return found


def look(engine: Engine, settings: KindSettings) -> Facts:
    """Ask docker, and this machine where docker runs on it."""
    info = engine.info()
    in_machine = "Docker Desktop" in str(info.get("OperatingSystem", ""))
    here = os.environ.get("DOCKER_HOST", "unix://").startswith("unix://") and not in_machine
    return Facts(
        info=info,
        missing_images=[
            image
            for image in dict.fromkeys((settings.probe_image, *settings.load_images))
            if not engine.has_image(image)
        ],
        instances=_number(_INOTIFY / "max_user_instances") if here else None,
        watches=_number(_INOTIFY / "max_user_watches") if here else None,
        available_mb=_available_mb() if here else None,
    )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _available_mb() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:")), None)
