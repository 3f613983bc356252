"""What a member's objects say about its connections, for people and for programs. Pure.

Nothing here judges anew: an agent's own words are shown, beside how old they are. Words older than ``STALE`` are shown
as ``stale``: the agent that wrote them may be gone, and "connected" is worth nothing then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import UPDATE_TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Object: TypeAlias = dict[str, Any]
STALE = 15
"""Seconds: three missed reports."""
COLUMNS = ("GATEWAY", "ROLE", "CLUSTER", "STATUS", "CABLE", "USING", "NAT", "MTU", "RTT", "MESSAGE")
CONDITION_COLUMNS = ("GATEWAY", "CONDITION", "STATUS", "REASON", "MESSAGE")


def overview(gateways: Iterable[Object], route_agents: Iterable[Object], now: float) -> Object:
    """Return gateways with their connections, and for each node how many peers its route agent reaches."""
    return {
        "gateways": [_gateway(obj, now) for obj in gateways],
        "nodes": [_node(obj, now) for obj in route_agents],
    }


def is_well(shown: Object) -> bool:
    """Say whether one gateway leads and everything that is shown is fresh and connected."""
    leading = [gateway for gateway in shown["gateways"] if gateway["role"] == "active"]
    connections = [connection for gateway in leading for connection in gateway["connections"]]
    return (
        len(leading) == 1
        and all(connection["status"] == "connected" for connection in connections)
        and not any(entry["stale"] for entry in (*leading, *shown["nodes"]))
    )


def table(shown: Object) -> str:
    """Return the overview as aligned columns: a line a connection, then a line a condition, then a line a node."""
    lines: list[Sequence[str]] = [COLUMNS]
    for gateway in shown["gateways"]:
        head = (gateway["name"], gateway["role"])
        rows = [_row(connection) for connection in gateway["connections"]]
        lines.extend((*head, *row) for row in rows or [("-",) * (len(COLUMNS) - len(head))])
    nodes: list[Sequence[str]] = [("NODE", "PEERS", "MESSAGE")]
    for node in shown["nodes"]:
        peers = "stale" if node["stale"] else f"{node['connected']}/{node['peers']}"
        nodes.append((node["name"], peers, node["failure"] or "-"))
    conditions: list[Sequence[str]] = [CONDITION_COLUMNS]
    conditions.extend(
        (gateway["name"], each["type"], each["status"], each["reason"], each["message"] or "-")
        for gateway in shown["gateways"]
        if gateway["role"] != "passive"
        for each in gateway["conditions"]
    )
    told = f"{_aligned(conditions)}\n" if conditions[1:] else ""
    return f"{_aligned(lines)}\n{told}{_aligned(nodes)}"


def _gateway(obj: Object, now: float) -> Object:
    status = _mapping(obj.get("status"))
    stale = _is_stale(obj, now)
    return {
        "name": obj["metadata"]["name"],
        "role": str(status.get("haStatus") or "unknown"),
        "stale": stale,
        "failure": str(status.get("statusFailure") or ""),
        "conditions": [_condition(_mapping(each), stale=stale) for each in status.get("conditions") or ()],
        "connections": [_connection(entry, stale=stale) for entry in status.get("connections") or ()],
    }


def _condition(entry: Mapping[str, Any], *, stale: bool) -> Object:
    keys = ("type", "status", "reason", "message")
    said = {key: str(entry.get(key) or "") for key in keys}
    return {**said, "status": "Unknown", "reason": "Stale"} if stale else said


def _connection(entry: Object, *, stale: bool) -> Object:
    endpoint = _mapping(entry.get("endpoint"))
    return {
        "cluster": str(endpoint.get("cluster_id") or "?"),
        "status": "stale" if stale else str(entry.get("status") or "?"),
        "cable": str(endpoint.get("backend") or ""),
        "using": str(entry.get("usingIP") or ""),
        "nat": bool(entry.get("usingNAT")),
        "mtu": entry.get("mtu") if isinstance(entry.get("mtu"), int) else None,
        "rtt": str(_mapping(entry.get("latencyRTT")).get("last") or ""),
        "message": str(entry.get("statusMessage") or ""),
    }


def _node(obj: Object, now: float) -> Object:
    status = _mapping(obj.get("status"))
    peers = status.get("remoteEndpoints") or ()
    return {
        "name": obj["metadata"]["name"],
        "stale": _is_stale(obj, now),
        "failure": str(status.get("statusFailure") or ""),
        "peers": len(peers),
        "connected": sum(peer.get("status") == "connected" for peer in peers),
    }


def _is_stale(obj: Object, now: float) -> bool:
    text = str(_mapping(obj["metadata"].get("annotations")).get(UPDATE_TIMESTAMP, ""))
    return not text.isdecimal() or now - int(text) > STALE


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _row(connection: Object) -> Sequence[str]:
    nat = "yes" if connection["nat"] else "no"
    keys = ("cluster", "status", "cable", "using")
    rest = (connection[key] for key in ("mtu", "rtt", "message"))
    return [*(connection[key] or "-" for key in keys), nat, *(str(value or "-") for value in rest)]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
