"""What runs left in a cluster: which namespaces may go, and which belong to a run that lives. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.labs.existing.objects import LEASE_SECONDS, RUN_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

DEAD_AFTER = dt.timedelta(seconds=3 * LEASE_SECONDS)
"""Without a renewal: clocks of two machines may differ by a minute."""
_PREFIX = "l3conf-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """One namespace of a run."""

    name: str
    run: str
    holder: str
    """Who claimed it; empty if the claim was never made or may not be read."""
    is_ours: bool
    """Whether its claim may be read: a run lets none but its own user do that."""
    renewed: dt.datetime
    """When the claim was renewed, or the namespace was made."""

    def is_dead(self, now: dt.datetime) -> bool:
        """Say whether its run has ended without removing it, as far as that is ours to judge."""
        return self.is_ours and now - self.renewed > DEAD_AFTER

    @property
    def doubt(self) -> str:
        """Why it is kept unless somebody names it."""
        return "its run may live" if self.is_ours else "whether its run lives is not ours to read"


def remnant(namespace: Mapping[str, Any], lease: Mapping[str, Any] | None) -> Remnant | None:
    """Return what a namespace with the label of a run is; None if it is none, or goes already.

    ``lease`` is its claim, empty if there is none, None if it may not be read.
    """
    metadata = namespace["metadata"]
    run = (metadata.get("labels") or {}).get(RUN_LABEL, "")
    if not run or not metadata["name"].startswith(f"{_PREFIX}{run}") or metadata.get("deletionTimestamp"):
        return None
    spec = (lease or {}).get("spec") or {}
    return Remnant(
        name=metadata["name"],
        run=run,
        is_ours=lease is not None,
        holder=str(spec.get("holderIdentity") or ""),
        renewed=dt.datetime.fromisoformat(str(spec.get("renewTime") or metadata["creationTimestamp"])),
    )
