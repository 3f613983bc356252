"""What an engine could leave behind on this host."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from images.tests.private_engine import CONTROL_GROUPS

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_LISTINGS = (
    ("ip", "-json", "link"),
    ("ip", "-json", "address"),
    ("ip", "-json", "route", "show", "table", "all"),
    ("ip", "-json", "-6", "route", "show", "table", "all"),
    ("ip", "-json", "rule"),
    ("nft", "--json", "list", "ruleset"),
)
_CHANGES = frozenset({"preferred_life_time", "valid_life_time", "expires", "stats", "stats64", "metainfo"})
"""Fields that change by themselves."""
_SYSCTLS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv6.conf.all.forwarding")


def host_state() -> dict[str, Any]:
    """Return links, addresses, routes, rules, filters, sysctls, mounts and this process's control groups."""
    state: dict[str, Any] = {" ".join(command): _without_changes(_listed(command)) for command in _LISTINGS}
    for name in _SYSCTLS:
        state[name] = Path("/proc/sys", *name.split(".")).read_text()
    state["mounts"] = sorted(Path("/proc/self/mounts").read_text().splitlines())
    ours = Path("/sys/fs/cgroup").rglob(f"{CONTROL_GROUPS}{os.getpid()}-*")
    state["control groups"] = sorted(map(str, ours))
    return state


def _listed(command: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={"PATH": _PATH}, timeout=30)
    return json.loads(ended.stdout or "[]")


def _without_changes(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _without_changes(entry) for key, entry in value.items() if key not in _CHANGES}
    return [_without_changes(entry) for entry in value] if isinstance(value, list) else value
