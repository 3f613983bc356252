"""What a fabric consists of, as values: the vocabulary of ``plan`` and ``plugins``.

Links carry their interface index, because the planner chooses it: a whole namespace can then be set up in one
send without asking the kernel what it made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING

from l3conf.model.addressing import host
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import IPAddress, IPNetwork

ETHERNET_MTU = 1500

EVERYTHING: dict[IPFamily, IPNetwork] = {
    IPFamily.IPV4: IPv4Network("0.0.0.0/0"),
    IPFamily.IPV6: IPv6Network("::/0"),
}

UPLINK = 2
"""Index of the link that leads out of a namespace: ``eth0``, on routers ``wan``."""
BRIDGE = 3
"""Index of the bridge where there is one besides an uplink."""
OVERLAY = 4
"""Index of the device that leads to other nodes, where the LAN does not."""
FIRST_PORT = 1 << 16
"""Index of the first bridge port: far from the small numbers that the kernel gives to links of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A bridge. Its MAC is given, or the kernel would change it with every port."""

    name: str
    index: int
    mac: bytes
    mtu: int = ETHERNET_MTU


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelPeer:
    """Another end of a tunnel: what is sent to ``mac`` goes to ``underlay``."""

    mac: bytes
    underlay: IPAddress
    neighbours: tuple[IPAddress, ...]
    """Addresses that resolve to ``mac``: next hops of routes into the tunnel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A VXLAN device that knows all its peers and learns none."""

    name: str
    index: int
    vni: int
    port: int
    local: IPAddress
    mac: bytes
    mtu: int
    peers: tuple[TunnelPeer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A veth pair: a port here (in bridge ``master``, if any), a link in another namespace."""

    port: str
    port_index: int
    master: int | None
    to: str
    """Key of the namespace at the far end."""
    name: str
    """Link name at the far end."""
    index: int
    mac: bytes
    mtu: int = ETHERNET_MTU


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address with its on-link prefix on a link."""

    link: int
    interface: IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route in the main table: through a neighbour, onto a link, or through a neighbour assumed to be on a link."""

    destination: IPNetwork
    via: IPAddress | None = None
    link: int | None = None
    source: IPAddress | None = None
    """Preferred source of packets that are made here."""
    mtu: int | None = None
    """Octets of IP that fit further on, where that is less than the link's own."""

    @property
    def assumes_on_link(self) -> bool:
        """Say whether nothing but this route puts the neighbour on the link."""
        return self.via is not None and self.link is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacePlan:
    """Everything in one namespace."""

    key: str
    forwarding: bool = False
    strict_reverse_path: bool = False
    """Whether a packet must come in where its source is routed to (rp_filter 1, on links made later too)."""
    families: frozenset[IPFamily] = frozenset({IPFamily.IPV4})
    bridges: tuple[Bridge, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    cables: tuple[Cable, ...] = ()
    """Cables plugged in here, whose other ends are in other namespaces."""
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    ruleset: str = ""
    """nftables text about packets, loaded last."""
    bridge_ruleset: str = ""
    """nftables text about frames between the ports of a bridge here, loaded with it."""

    @property
    def rules(self) -> str:
        """Everything that is loaded."""
        return self.ruleset + self.bridge_ruleset

    @property
    def is_switch(self) -> bool:
        """Say whether this is a bridge with cables and nothing else: what only switches frames."""
        return bool(self.bridges and self.cables and not self.addresses)

    @property
    def links(self) -> frozenset[int]:
        """Indices of the links that carry addresses here."""
        return frozenset(address.link for address in self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricPlan:
    """All namespaces of a topology, by key, in the order in which they are made."""

    namespaces: Mapping[str, NamespacePlan] = field(default_factory=dict)
    wan_ports: Mapping[str, str] = field(default_factory=dict)
    """Bridge port on the WAN by site: a cluster's name, ``broker`` or ``outsider``."""
    lans: Mapping[str, str] = field(default_factory=dict)
    """Key of the namespace that has the bridge of a LAN, by cluster."""

    def uplink(self, cluster: str, node: str) -> Cable:
        """Return the cable by which a node, given by its key, is plugged into the LAN of its cluster."""
        return next(cable for cable in self.namespaces[self.lans[cluster]].cables if cable.to == node)


def mac_of(address: IPAddress) -> bytes:
    """Return the MAC of the link with that address: readable in captures for IPv4, stable for both.

    Locally administered, and equal for equal addresses only; links that share a segment never share an address.
    """
    if IPFamily.of(address) is IPFamily.IPV4:
        return b"\x0a\x58" + address.packed
    return b"\x0a\x59" + hashlib.blake2s(address.packed, digest_size=4).digest()


def on_link(network: IPNetwork, offset: int) -> IPv4Interface | IPv6Interface:
    """Return the address at ``offset`` of ``network`` together with that prefix."""
    number, length = int(host(network, offset)), network.prefixlen
    # An integer, because an address object would be printed and parsed again (0.02 ms).
    return IPv4Interface((number, length)) if isinstance(network, IPv4Network) else IPv6Interface((number, length))


def alone(address: IPAddress) -> IPNetwork:
    """Return the prefix that holds one address only."""
    whole = (int(address), address.max_prefixlen)
    return IPv4Network(whole) if isinstance(address, IPv4Address) else IPv6Network(whole)


def default_route(via: IPAddress, link: int | None = None) -> Route:
    """Return the default route of the family of ``via``."""
    return Route(destination=EVERYTHING[IPFamily.of(via)], via=via, link=link)
