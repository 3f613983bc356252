"""What this implementation puts into a node's kernel, as values: the language between planners and drivers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network
Pair: TypeAlias = tuple[IPNetwork, IPNetwork]
"""An own prefix and a peer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A VXLAN device without addresses of its own; peers stand in its forwarding entries."""

    name: str
    vni: int
    port: int
    """UDP destination port, and the port it listens on."""
    local: IPAddress
    """Outer source."""
    mac: str
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuardLink:
    """A WireGuard device. Its private key is no part of any plan: the driver has it."""

    name: str
    port: int
    mtu: int
    public_key: str
    """Base64; says which private key the device has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuardPeer:
    """A peer of a WireGuard device. ``(device, public_key)`` is its identity."""

    device: str
    public_key: str
    """Base64."""
    allowed: frozenset[IPNetwork]
    """What it may send from, and what is sent to it."""
    endpoint: tuple[IPAddress, int] | None
    """Where it is believed to be; None as a wish: leave alone what the device has learnt."""
    keepalive: int
    """Seconds; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """An address of the node itself on one of our devices, alone in its prefix."""

    device: str
    address: IPAddress
    preferred: bool = False
    """IPv6: whether the node may choose it as a source by itself (RFC 6724 section 5). It would for all pods in whose
    range it is, which then saw another address than before (L3-F7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IPsecLink:
    """The device between clear packets and ESP: libipsec's TUN or the kernel's XFRM interface."""

    name: str
    mtu: int
    anchors: frozenset[IPAddress]
    """One address in each own prefix. libipsec takes a policy only where the node itself has such an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IPsecPeer:
    """A peer as the IKE daemon knows it. ``(device, name)`` is its identity."""

    device: str
    name: str
    """Of the connection (``protocols.connection_names``)."""
    own_key: str
    public_key: str
    """Base64 of X25519, ours and the peer's: both ends' IKE identities, and what the secret of the pair is made of."""
    local: IPAddress
    remote: tuple[IPAddress, int]
    """Where it is called. Where it calls from does not matter."""
    pairs: frozenset[Pair]
    """One sub-tunnel (child SA) each."""
    stands_by: bool = False
    """Whether one end stands by: the peer may call, and is not called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubTunnel:
    """A pair of prefixes that packets can pass between now."""

    peer: str
    """Cluster id."""
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A permanent neighbour entry: the hardware address of a next hop, so that nothing is ever asked by ARP."""

    device: str
    address: IPAddress
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingEntry:
    """Where a VXLAN device sends frames for a hardware address."""

    device: str
    mac: str
    destination: IPAddress
    port: int


class RouteKind(enum.Enum):
    """What a route does with a packet (``rtm_type``)."""

    UNICAST = "unicast"
    UNREACHABLE = "unreachable"
    THROW = "throw"
    """Ends the lookup in this table: the next rule decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route in our table. ``(destination, metric)`` is its identity there."""

    destination: IPNetwork
    metric: int
    kind: RouteKind = RouteKind.UNICAST
    device: str = ""
    via: IPAddress | None = None
    source: IPAddress | None = None
    """Preferred source of packets that the node itself sends."""


class Direction(enum.Enum):
    """Which address of a packet a rule looks at."""

    TO = "to"
    FROM = "from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A policy rule that sends a packet's lookup to our table, or ends it."""

    direction: Direction
    prefix: IPNetwork
    rejects: bool = False
    """Whether the packet is answered "network unreachable" instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSet:
    """A named nftables set of prefixes of one IP version."""

    name: str
    version: int
    prefixes: frozenset[IPNetwork]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupMap:
    """A named nftables map. It changes element by element, and keeps its name; other types want another name."""

    name: str
    key: str
    value: str
    """Types, as nft spells them: ``ipv4_addr . inet_proto``, ``verdict``."""
    elements: tuple[tuple[str, str], ...]
    """Keys and values as nft prints them, protocols as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A base chain, or one that other chains of its table lead to.

    Tables are changed in place, across versions too: a chain that changes its hook takes another name.
    """

    name: str
    kind: str = "filter"
    """``filter`` or ``nat``."""
    hook: str = ""
    """Where the kernel enters the chain; "" where only other chains do."""
    priority: str = "filter"
    """As nft spells it: ``raw``, ``srcnat - 10``."""
    rules: tuple[str, ...]
    """Rules in nft's own language; policy is accept."""
    by_content: bool = False
    """Whether its name tells what it does: one of that name that is there already is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """One nftables table of family inet."""

    table: str
    sets: tuple[AddressSet, ...] = ()
    maps: tuple[LookupMap, ...] = ()
    chains: tuple[Chain, ...] = ()


class Flow(enum.Enum):
    """Which way packets go, as this cluster sees it."""

    RECEIVED = "rx"
    SENT = "tx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A peer whose packets are counted."""

    peer: str
    """Cluster id."""
    prefixes: frozenset[IPNetwork]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A UDP port of this node that only some addresses should send to."""

    port: int
    peers: frozenset[IPAddress]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """One nftables table of family inet with two counters a peer, one for each ``Flow``."""

    table: str
    devices: frozenset[str] = frozenset()
    """Devices that cables come out of: packets are counted there."""
    meters: frozenset[Meter] = frozenset()
    doors: frozenset[Door] = frozenset()
    """Where packets of strangers are counted as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What has passed since a counter was made."""

    packets: int = 0
    octets: int = 0
    """Bytes of IP, headers included, without what a cable adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """The state of a node's connection tracking."""

    entries: int
    limit: int
    """Most entries that there can be."""
    refused: int
    """New flows that found their place taken (``insert_failed``): no port was left for them."""
    dropped: int
    """Packets that were dropped because a flow could not be entered, or the table was full."""


AnyLink: TypeAlias = Link | WireGuardLink | IPsecLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A base chain of somebody else's that drops what it forwards unless one of its rules spares it."""

    family: str
    """As nft names it: ``ip``, ``ip6`` or ``inet``."""
    table: str
    chain: str


class Side(enum.Enum):
    """Which device of a forwarded packet a rule looks at; the value is nft's."""

    IN = "iifname"
    OUT = "oifname"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A rule of ours at the end of a guard's chain that spares what comes out of or goes into a tunnel."""

    guard: Guard
    side: Side
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelState:
    """All that one agent owns in its node's kernel: what is there, or what should be."""

    host_addresses: frozenset[HostAddress] = frozenset()
    links: frozenset[AnyLink] = frozenset()
    peers: frozenset[WireGuardPeer] = frozenset()
    ike_peers: frozenset[IPsecPeer] = frozenset()
    neighbours: frozenset[Neighbour] = frozenset()
    forwarding: frozenset[ForwardingEntry] = frozenset()
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    ruleset: Ruleset | None = None
    passages: frozenset[Passage] = frozenset()
    meters: Meters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """How an agent tells its own kernel state from everybody else's."""

    protocol: int
    """Route protocol number of its routes and rules."""
    devices: tuple[str, ...]
    """Its tunnel devices; neighbours, forwarding entries and peers on them are its own too."""
    table: str
    """Its nftables table."""
    passages: bool = False
    """Whether it has rules in tables of others; their comments begin with its table's name."""
    meters: str = ""
    """Its nftables table of counters; "" if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceAddress:
    """An address that the node has, with the MTU of the device it is on."""

    device: str
    address: IPAddress
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A kernel as an agent found it."""

    state: KernelState = field(default_factory=KernelState)
    """The agent's own part. Of ``ruleset`` only the table's name is filled in, if the table exists."""
    ruleset_digest: str = ""
    """Digest of the ruleset that was loaded, "" if there is none or it was tampered with."""
    addresses: tuple[InterfaceAddress, ...] = ()
    guards: tuple[Guard, ...] = ()
    """Chains of others that would drop what we forward; only for an owner of passages."""
    roaming: frozenset[str] = frozenset()
    """Public keys of WireGuard peers that were heard from lately: where they are is known better in the kernel than
    anywhere else. Their ``endpoint`` above is the one last set by this agent, None if it set none."""
    sub_tunnels: frozenset[SubTunnel] = frozenset()
    """Sub-tunnels that are up."""
    located: frozenset[tuple[str, IPAddress, int]] = frozenset()
    """Of peers that were heard from lately: public key, and address and port that packets for them are sent to."""
    wireguard_devices: frozenset[str] = frozenset()
    """WireGuard devices that are there, or can be made."""
    meters_mark: str = ""
    """Which meters were loaded (``meter_script.mark``). Of ``meters`` above only the table's name is filled in."""
