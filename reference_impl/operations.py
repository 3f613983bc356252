"""Steps from one kernel state to another: what a diff says and a driver does."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from reference_impl.state import (
    AnyLink,
    ForwardingEntry,
    HostAddress,
    IPsecLink,
    IPsecPeer,
    Link,
    Meters,
    Neighbour,
    Passage,
    Route,
    Rule,
    Ruleset,
    WireGuardLink,
    WireGuardPeer,
)

Item: TypeAlias = (
    AnyLink
    | HostAddress
    | WireGuardPeer
    | IPsecPeer
    | Neighbour
    | ForwardingEntry
    | Route
    | Rule
    | Ruleset
    | Passage
    | Meters
)


class Verb(enum.Enum):
    """What to do with an item."""

    SET = "set"
    """Add it, or replace what has its identity."""
    REMOVE = "remove"
    """Take it away; no error if it is gone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step for a driver."""

    verb: Verb
    item: Item

    def __str__(self) -> str:
        return f"{self.verb.value} {_describe(self.item)}"


def _describe(item: Item) -> str:  # noqa: C901, PLR0911, PLR0912 - one for each kind
    """Return an item as ``ip`` and ``bridge`` would write it, for logs and errors."""
    match item:
        case Link():
            return f"link {item.name} vxlan id {item.vni} dstport {item.port} local {item.local} mtu {item.mtu}"
        case WireGuardLink():
            return f"link {item.name} wireguard port {item.port} mtu {item.mtu} key {item.public_key}"
        case WireGuardPeer():
            where = "{}:{}".format(*item.endpoint) if item.endpoint else "as learnt"
            allowed = ",".join(sorted(map(str, item.allowed)))
            return f"peer {item.public_key} allowed {allowed} endpoint {where} dev {item.device}"
        case HostAddress():
            return f"addr {item.address} dev {item.device}"
        case IPsecLink():
            return f"link {item.name} ipsec mtu {item.mtu} addresses {','.join(sorted(map(str, item.anchors)))}"
        case IPsecPeer():
            pairs = ",".join(sorted(f"{own}={other}" for own, other in item.pairs))
            where = "{}:{}".format(*item.remote)
            role = " standby" if item.stands_by else ""
            return f"ike {item.name} from {item.local} to {where} key {item.public_key} pairs {pairs}{role}"
        case Neighbour():
            return f"neigh {item.address} lladdr {item.mac} dev {item.device}"
        case ForwardingEntry():
            return f"fdb {item.mac} dst {item.destination} port {item.port} dev {item.device}"
        case Route():
            way = f" via {item.via} dev {item.device}" if item.device else ""
            return f"route {item.kind.value} {item.destination}{way} metric {item.metric}"
        case Rule():
            return f"rule {item.direction.value} {item.prefix}{' unreachable' if item.rejects else ''}"
        case Ruleset():
            return f"table inet {item.table}"
        case Meters():
            return f"counters inet {item.table} of {','.join(sorted(meter.peer for meter in item.meters)) or 'nobody'}"
        case Passage():
            guard = item.guard
            return f"rule {guard.family} {guard.table} {guard.chain} {item.side.value} {item.device} accept"
