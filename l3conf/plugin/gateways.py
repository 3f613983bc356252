"""What Gateway objects say: read as any user would read them, without trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

CONNECTED = "connected"
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of ``status.connections`` of an active Gateway."""

    gateway: str
    peer: str
    """Cluster id of the other end."""
    status: str
    message: str

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
        )
        for gateway in gateways
        if (gateway.get("status") or {}).get("haStatus") == ACTIVE
        for entry in gateway["status"].get("connections") or []
    ]


def status_lines(cluster: str, gateways: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what a cluster's gateways say, for a diagnosis."""
    said = [f"status in {cluster}: gateway {connection}" for connection in connections(gateways)]
    return said or [f"status in {cluster}: no active gateway reports a connection"]
