"""What members say of others that they have no cable driver in common with."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.conditions import conditions_of
from l3conf.plugin.gateways import CONNECTED, connections
from l3conf.plugin.status_watch import StatusWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from l3conf.plugin.furnished import FurnishedLab

REASON = "DriverMismatch"


def strangers(lab: FurnishedLab, members: Iterable[str]) -> list[tuple[str, str]]:
    """Return the ordered pairs of members without a common cable driver."""
    return [
        (member, peer)
        for member, peer in itertools.permutations(members, 2)
        if not lab.topology.cluster(member).shares_a_driver_with(lab.topology.cluster(peer))
    ]


def not_said(lab: FurnishedLab, members: Iterable[str]) -> list[str]:
    """Return the pairs whose mismatch is not in a Gateway's status, in so many words (L3-D6)."""
    return [
        f"{member} does not say {REASON} of {peer}"
        for member, peer in strangers(lab, members)
        if not any(_says(gateway, peer) for gateway in lab.apis[member].items(f"{GROUP}/gateways"))
        and not any(_has_reason(obj) for obj in _about(lab, member, peer))
    ]


def changes(lab: FurnishedLab, members: Iterable[str]) -> list[str]:
    """Watch for ``W_steady`` what is said of such pairs; return every change after the first word, and "connected"."""
    pairs = strangers(lab, members)
    with StatusWatch(lab, sorted({member for member, _ in pairs})) as watch:
        watch.until(lambda: False, lab.harness.budgets.get("W_steady"))
    said = {pair: [one.status for one in watch.reports if (one.cluster, one.peer) == pair] for pair in pairs}
    return [
        f"{member} says of {peer}: {', then '.join(word or 'nothing' for word in words)}"
        for (member, peer), words in said.items()
        if len(words) > 1 or CONNECTED in words
    ]


def _says(gateway: Mapping[str, Any], peer: str) -> bool:
    of_peer = any(REASON in one.message for one in connections([gateway]) if one.peer == peer)
    return of_peer or any(
        one.get("reason") == REASON and peer in str(one.get("message")) for one in conditions_of(gateway)
    )


def _has_reason(obj: Mapping[str, Any]) -> bool:
    return any(REASON in (one.get("reason"), one.get("type")) for one in conditions_of(obj))


def _about(lab: FurnishedLab, member: str, peer: str) -> list[Mapping[str, Any]]:
    """Return the objects in a member's API that are about a peer."""
    return [
        obj for obj in lab.apis[member].items(f"{GROUP}/clusters") if (obj.get("spec") or {}).get("cluster_id") == peer
    ]
