"""Whether a member says, in so many words, why it does not take another one for what it claims to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.conditions import conditions_of
from l3conf.plugin.gateways import connections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from l3conf.plugin.cluster_api import ClusterAPI


def is_named(api: ClusterAPI, peer: str, reason: str) -> bool:
    """Say whether a member's Gateways, or what it says of the peer's Cluster, name a reason about that peer."""
    return names(api.items(f"{GROUP}/gateways"), api.items(f"{GROUP}/clusters"), peer, reason)


def names(gateways: Iterable[Mapping[str, Any]], clusters: Iterable[Mapping[str, Any]], peer: str, reason: str) -> bool:
    """Say the same of lists of objects."""
    return any(_says(gateway, peer, reason) for gateway in gateways) or any(
        _has_reason(conditions_of(obj), reason) for obj in clusters if (obj.get("spec") or {}).get("cluster_id") == peer
    )


def _says(gateway: Mapping[str, Any], peer: str, reason: str) -> bool:
    of_peer = any(reason in one.message for one in connections([gateway]) if one.peer == peer)
    # A word of its own: there is an "f" in every "of".
    named = re.compile(rf"(?<![\w-]){re.escape(peer)}(?![\w-])")
    return of_peer or any(
        one.get("reason") == reason and named.search(str(one.get("message"))) for one in conditions_of(gateway)
    )


def _has_reason(conditions: Sequence[Mapping[str, Any]], reason: str) -> bool:
    return any(
        reason == one.get("reason") or (reason, "True") == (one.get("type"), one.get("status")) for one in conditions
    )
