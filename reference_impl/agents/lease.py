"""Leases, and what is told of them, as any agent may read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.names import CONTESTED
from reference_impl.protocols.heartbeat import BEATS, Beat, Life, interval

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object


def is_held_by(lease: Object | None, identity: str) -> bool:
    """Say whether a Lease names somebody as its holder."""
    return lease is not None and (lease.get("spec") or {}).get("holderIdentity") == identity


def read_beat(lease: Object) -> Beat:
    """Read a member's Lease, whoever wrote it."""
    spec = lease.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    return Beat(
        holder=str(spec.get("holderIdentity") or ""),
        renewed=str(spec.get("renewTime") or ""),
        duration=float(duration) if isinstance(duration, int) and duration > 0 else BEATS * interval(0),
        contested=str((lease["metadata"].get("annotations") or {}).get(CONTESTED) or ""),
    )


def told(beat: Beat, life: Life) -> str:
    """Return what a mailbox says of a member."""
    annotations = {CONTESTED: beat.contested} if beat.contested else {}
    spec = {"holderIdentity": beat.holder, "leaseDurationSeconds": round(beat.duration), "renewTime": beat.renewed}
    return json.dumps({"life": life.value, "metadata": {"annotations": annotations}, "spec": spec}, sort_keys=True)


def read_told(text: str) -> Beat:
    """Read it. An agent that said nothing of lives told every beat: the reader times it."""
    said = json.loads(text)
    life = said.get("life")
    return replace(read_beat(said), life=Life(life) if life else None)
