"""Faults as values: what a lab can do to a path between clusters, a NAT, a node, its agents or an API while it runs.

A site is a cluster's name, ``broker`` or ``outsider``. Sites behind one public address share one path.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias

from l3conf.model.api_faults import (
    APIDropped,
    APIExpired,
    APIFault,
    APIRefused,
    APISlow,
    EventsDuplicated,
    EventsLate,
    EventsReordered,
    WatchesSilent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One direction between two sites."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Path):
    """Nothing passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Path):
    """A share of the packets is lost, each by itself."""

    share: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(Path):
    """What exceeds a rate is dropped, once a second's worth of it has passed at once."""

    bytes_per_second: int
    """Octets of IP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Path):
    """Every packet arrives later; order is kept."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NATRebinding:
    """A site's NAT forgets its mappings and chooses other ports from now on. Over as soon as it has begun."""

    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NATReboot:
    """A site's router passes nothing; when the fault ends it is up again, with other mappings."""

    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """A site with NAT has another public address, and none of its old mappings."""

    site: str
    address: IPv4Address
    """A free address of the WAN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddressChange:
    """A node has another address on its LAN, in place of the one of that family, and its kubelet says so."""

    cluster: str
    node: str
    address: IPv4Address | IPv6Address
    """A free address of the LAN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """A node's uplink has no carrier."""

    cluster: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversePathFilter:
    """Something sets rp_filter of all of a node's links, as network managers do, whatever it was before.

    When the fault ends, only what is still as it was set goes back.
    """

    cluster: str
    node: str
    mode: int
    """0 off, 1 strict, 2 loose (RFC 3704)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsKilled:
    """The agents on a node get SIGKILL. Over as soon as it has begun: kubelets restart what ended.

    An agent is every container that can speak to the API, in pods that are neither the suite's own nor in
    ``kube-system``. One that cannot (``automountServiceAccountToken: false``) decides nothing: it carries packets.
    """

    cluster: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsFrozen:
    """The agents on a node do nothing at all, as if they had died and nobody restarted them.

    What they have put into kernels stays; what they carry in processes of their own stands still.
    """

    cluster: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsCrashLooping:
    """The agents on a node die as soon as they start, over and over; kubelets wait longer each time (back-off).

    Agents are those of ``AgentsKilled``. What they have put into kernels stays.
    """

    cluster: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCrash:
    """A node loses power: its links are dead at once, its processes gone, its kubelet silent; nobody says goodbye.

    When the fault ends it boots: with the same name, addresses and pods, and with nothing else in its kernel.
    """

    cluster: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAdded:
    """A cluster has one node more, which registers itself and becomes Ready; when the fault ends, it is removed.

    Name, addresses and pod slice are chosen as for the nodes of the topology's file (``model.roster``).
    """

    cluster: str
    node: str = ""
    """Its name; empty: the next of the cluster."""
    gateway: bool = False
    """Whether it is labelled as a gateway node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRemoved:
    """A node has no power any more and its Node object is deleted; the network plugin forgets it everywhere.

    When the fault ends, a node of that name, with its addresses and pod slice, joins the cluster as a new machine.
    """

    cluster: str
    node: str


NetworkFault: TypeAlias = (
    Cut
    | Loss
    | RateLimit
    | Delay
    | NATRebinding
    | NATReboot
    | AddressChange
    | NodeAddressChange
    | LinkDown
    | ReversePathFilter
)
AgentFault: TypeAlias = AgentsKilled | AgentsFrozen | AgentsCrashLooping
NodeChange: TypeAlias = NodeAdded | NodeRemoved
Fault: TypeAlias = NetworkFault | AgentFault | NodeCrash | NodeChange | APIFault

_KINDS: dict[str, type[Any]] = {
    "cut": Cut,
    "loss": Loss,
    "rate-limit": RateLimit,
    "delay": Delay,
    "nat-rebinding": NATRebinding,
    "nat-reboot": NATReboot,
    "address-change": AddressChange,
    "node-address-change": NodeAddressChange,
    "link-down": LinkDown,
    "reverse-path-filter": ReversePathFilter,
    "agents-killed": AgentsKilled,
    "agents-frozen": AgentsFrozen,
    "api-refused": APIRefused,
    "api-slow": APISlow,
    "api-dropped": APIDropped,
    "api-expired": APIExpired,
    "events-duplicated": EventsDuplicated,
    "events-late": EventsLate,
    "events-reordered": EventsReordered,
    "watches-silent": WatchesSilent,
    "agents-crash-looping": AgentsCrashLooping,
    "node-crash": NodeCrash,
    "node-added": NodeAdded,
    "node-removed": NodeRemoved,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as JSON data."""
    data = dataclasses.asdict(fault)
    return {"kind": _NAMES[type(fault)], **data, **({"address": str(data["address"])} if "address" in data else {})}


def fault_from_json(data: dict[str, Any]) -> Fault:
    """Return the fault that ``fault_to_json`` wrote; ``ValueError`` or ``TypeError`` for anything else."""
    kind = _KINDS.get(data.get("kind", ""))
    if kind is None:
        raise ValueError(f"there is no fault {data.get('kind')!r}; there is {', '.join(_KINDS)}")
    values = {key: value for key, value in data.items() if key != "kind"}
    if "address" in values:
        values["address"] = ip_address(values["address"])
    if "verbs" in values:
        values["verbs"] = tuple(values["verbs"])
    fault: Fault = kind(**values)
    return fault
