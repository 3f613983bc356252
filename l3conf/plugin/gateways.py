"""What Gateway objects say: read as any user would read them, without trust."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

CONNECTED = "connected"
ACTIVE = "active"
UPDATE_TIMESTAMP = "update-timestamp"
"""Annotation of a Gateway: Unix seconds of its agent's last report."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of ``status.connections`` of an active Gateway."""

    gateway: str
    peer: str
    """Cluster id of the other end."""
    status: str
    message: str
    reported: int = 0
    """Unix seconds of the gateway's last report; 0 if it gives none."""
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The entry as it stands in the object."""

    @property
    def families(self) -> frozenset[IPFamily]:
        """Families that the entry is about: those of the subnets that it names, or all if it names none."""
        named = self.entry.get("endpoint", {}).get("subnets") or []
        return frozenset(IPFamily.IPV6 if ":" in str(text) else IPFamily.IPV4 for text in named) or frozenset(IPFamily)

    def __str__(self) -> str:
        """Return the connection as one line."""
        return f"{self.gateway}: {self.peer} {self.status}{f' ({self.message})' if self.message else ''}"


def connections(gateways: Iterable[Mapping[str, Any]]) -> list[Connection]:
    """Return the connections that active gateways report."""
    return [
        Connection(
            gateway=str(gateway["metadata"]["name"]),
            peer=str(entry.get("endpoint", {}).get("cluster_id", "")),
            status=str(entry.get("status", "")),
            message=str(entry.get("statusMessage", "")),
            reported=reported_at(gateway),
            entry=entry,
        )
        for gateway in gateways
        if (gateway.get("status") or {}).get("haStatus") == ACTIVE
        for entry in gateway["status"].get("connections") or []
    ]


def latest_connections(gateways: Iterable[Mapping[str, Any]]) -> dict[str, Connection]:
    """Return one connection a peer: what the gateway says that reported last, as long as two call themselves active.

    A gateway may report families apart (L3-G2); then the worse one counts.
    """
    said = sorted(connections(gateways), key=lambda one: (one.reported, one.gateway))
    last = {one.peer: one.gateway for one in said}
    newest = [one for one in said if one.gateway == last[one.peer]]
    return {one.peer: one for one in sorted(newest, key=lambda one: one.status != CONNECTED)}


def status_in(gateways: Iterable[Mapping[str, Any]], peer: str, family: IPFamily) -> str:
    """Return the status that the gateway which reported last gives a peer in one family; "" if it gives none."""
    about = [one for one in connections(gateways) if one.peer == peer and family in one.families]
    return max(about, key=lambda one: one.reported).status if about else ""


def reported_at(gateway: Mapping[str, Any]) -> int:
    """Return the Unix seconds in a Gateway's ``update-timestamp``; 0 if there are none."""
    text = str((gateway["metadata"].get("annotations") or {}).get(UPDATE_TIMESTAMP, ""))
    return int(text) if text.isdecimal() else 0


def not_agreed(gateways: Mapping[str, Sequence[Mapping[str, Any]]], since: float = 0.0) -> list[str]:
    """Return a line for every pair of members of which one is not connected, or means another gateway (L3-E9).

    ``gateways`` holds each member's Gateway objects. What was said before ``since`` (Unix seconds) counts for nothing,
    where it is known when.
    """
    lines = []
    said = {member: latest_connections(objects) for member, objects in gateways.items()}
    for member, peer in itertools.permutations(gateways, 2):
        there = said[member].get(peer)
        if there is None or there.status != CONNECTED:
            lines.append(f"{member} says of {peer}: {there or 'nothing'}")
            continue
        if 0 < there.reported <= since:
            lines.append(f"{member} has not said anything of {peer} for {since - there.reported:.0f} s")
            continue
        meant = str(there.entry["endpoint"].get("private_ip", ""))
        actual = {
            str((gateway.get("status") or {}).get("localEndpoint", {}).get("private_ip", ""))
            for gateway in gateways[peer]
            if (gateway.get("status") or {}).get("haStatus") == ACTIVE
        }
        if meant not in actual:
            lines.append(f"{member} means {peer}'s gateway at {meant}, but {', '.join(sorted(actual))} is active there")
    return lines


def status_lines(cluster: str, gateways: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what a cluster's gateways say, for a diagnosis."""
    said = [f"status in {cluster}: gateway {connection}" for connection in connections(gateways)]
    return said or [f"status in {cluster}: no active gateway reports a connection"]
