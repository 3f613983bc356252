"""A cluster that joins under the name of a member: what its hook said, and what became of the member's objects."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.plugin.cluster_api import GROUP

if TYPE_CHECKING:
    from l3conf.plugin.lab import Lab

_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Intrusion:
    """What was seen while a second cluster claimed a name that was taken."""

    refused: bool
    """Its join hook failed."""
    changed: tuple[str, ...]
    """Objects of that name at the broker that came, went or were rewritten."""


def watch_intrusion(lab: Lab, cluster: str, name: str) -> Intrusion:
    """Let ``cluster`` join as ``name`` and watch the broker: for ``W_steady``, or shortly if the hook refused."""
    before = _claims(lab, name)
    refused = lab.members.join_under(cluster, name)
    lab.run.note(f"{cluster} joins as {name}: {'refused' if refused else 'accepted'}")
    until = time.monotonic() + lab.harness.budgets.get("W_silence" if refused else "W_steady")
    changed: set[str] = set()
    while time.monotonic() < until and not changed:
        now = _claims(lab, name)
        changed = {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}
        lab.harness.clock.sleep(_PAUSE)
    return Intrusion(refused, tuple(sorted(changed)))


def _claims(lab: Lab, name: str) -> dict[str, str]:
    """Return what the broker holds under a cluster id: specifications, without heartbeats."""
    return {
        f"{kind}/{obj['metadata']['name']}": json.dumps(obj["spec"], sort_keys=True)
        for kind in ("clusters", "endpoints")
        for obj in lab.broker.items(f"{GROUP}/{kind}")
        if obj["spec"].get("cluster_id") == name
    }
