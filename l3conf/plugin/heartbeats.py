"""Members' heartbeats at the broker, and what the others say of one that falls silent. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from l3conf.plugin.conditions import conditions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def beats_of(member: str, leases: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return ``renewTime`` of every Lease whose name, or whose holder's, has a member's id as a word, by name."""
    word = re.compile(rf"(?<![a-z0-9]){re.escape(member)}(?![a-z0-9])")
    return {
        f"{lease['metadata']['namespace']}/{lease['metadata']['name']}": str(spec.get("renewTime") or "")
        for lease in leases
        for spec in [lease.get("spec") or {}]
        if word.search(lease["metadata"]["name"]) or word.search(str(spec.get("holderIdentity") or ""))
    }


def said(member: str, clusters: Iterable[Mapping[str, Any]], status: str) -> list[str]:
    """Return the types of the conditions with a status (``True``, ``False``, ``Unknown``) on a member's Cluster."""
    return [
        str(one.get("type"))
        for obj in clusters
        if (obj.get("spec") or {}).get("cluster_id") == member
        for one in conditions_of(obj)
        if one.get("status") == status
    ]
