"""Mutants of what is reported of a connection besides up and down: its parts, round trips and path."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Object: TypeAlias = dict[str, Any]
_ROOM = 50


def let_the_best_part_count(status: Object) -> Object:
    """Say of all parts of a connection what is true of the best one."""
    claimed = copy.deepcopy(status)
    entries = claimed.get("connections") or []
    up = {_cluster(entry): entry for entry in entries if entry["status"] == "connected"}
    for entry in entries:
        if _cluster(entry) in up:
            best = up[_cluster(entry)]
            entry |= {key: best[key] for key in ("status", "statusMessage") if key in best}
    return claimed


def overlook_sub_tunnels(status: Object) -> Object:
    """Say connected of a connection of which a sub-tunnel is down."""
    claimed = copy.deepcopy(status)
    for entry in claimed.get("connections") or []:
        if str(entry.get("statusMessage", "")).startswith("SubTunnelDown"):
            entry |= {"status": "connected", "statusMessage": "round trip confirmed"}
    return claimed


def report_the_first_round_trip() -> Callable[[Object], Object]:
    """Say for ever how long a round trip took when a connection was first reported."""
    first: dict[tuple[str, int], Object] = {}

    def status_of(status: Object) -> Object:
        claimed = copy.deepcopy(status)
        for index, entry in enumerate(claimed.get("connections") or []):
            if entry.get("latencyRTT"):
                entry["latencyRTT"] = first.setdefault((_cluster(entry), index), entry["latencyRTT"])
        return claimed

    return status_of


def report_the_least_round_trip(status: Object) -> Object:
    """Say that the last round trip took as long as the quickest of all."""
    claimed = copy.deepcopy(status)
    for entry in claimed.get("connections") or []:
        if entry.get("latencyRTT"):
            entry["latencyRTT"]["last"] = entry["latencyRTT"]["min"]
    return claimed


def overstate_the_mtu(status: Object) -> Object:
    """Say that what a cable adds need not be taken off."""
    claimed = copy.deepcopy(status)
    for entry in claimed.get("connections") or []:
        entry["mtu"] = entry.get("mtu", 0) + _ROOM
    return claimed


def misname_the_driver(status: Object) -> Object:
    """Say that every cable is an IPsec tunnel."""
    claimed = copy.deepcopy(status)
    for entry in claimed.get("connections") or []:
        entry["endpoint"]["backend"] = "libreswan"
    return claimed


def _cluster(entry: Object) -> str:
    return str(entry["endpoint"].get("cluster_id", ""))
