"""Who holds a Lease, as any agent may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object


def is_held_by(lease: Object | None, identity: str) -> bool:
    """Say whether a Lease names somebody as its holder."""
    return lease is not None and (lease.get("spec") or {}).get("holderIdentity") == identity
