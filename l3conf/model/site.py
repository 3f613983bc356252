"""What stands between a cluster and the wide-area network, as values: NAT, filters and small links.

NAT concerns IPv4. A site's IPv6 LAN stays routed, as providers that translate IPv4 leave it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

ETHERNET_MTU = 1500
UDP_TIMEOUT = 30
"""Seconds; what many home and carrier NATs use, although RFC 4787 REQ-5 asks for two minutes."""


class NATKind(enum.Enum):
    """How a site's router maps and filters, in the terms of RFC 4787.

    No kind admits a packet to a mapping that its sender was not the destination of (filtering is address- and
    port-dependent), but to a port of the static map, which is open to everyone.
    """

    NONE = "none"
    """The LAN is routed on the WAN."""
    ENDPOINT_INDEPENDENT = "endpoint-independent"
    """One external UDP port per internal address and port, whatever the destination; no port is preserved."""
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    """A random external port per destination: the NAT that is called symmetric."""
    STATIC = "static"
    """Ports of the public address belong to nodes for good, both ways; all else is endpoint-independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMap:
    """One UDP port of the public address that always leads to a node, and that the node's port is seen as."""

    external: int
    node: str
    """A node of the cluster whose site this is."""
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """A cluster's site; the default is routed, unfiltered Ethernet."""

    nat: NATKind = NATKind.NONE
    port_maps: tuple[PortMap, ...] = ()
    udp_timeout: int = UDP_TIMEOUT
    """Seconds after the last packet, in either direction, until the router forgets a UDP mapping."""
    public_address_of: str = ""
    """The cluster whose router, and so whose public address, this site is behind; "" for one of its own."""
    filter_sources: bool = False
    """Whether the LAN drops IPv4 packets whose source is neither the sending node nor one of its own pods."""
    filter_icmp_errors: bool = False
    """Whether the router drops ICMP and ICMPv6 errors, "too big" among them, its own as well."""
    lan_mtu: int = ETHERNET_MTU
    """Octets of IP that the site's LAN carries."""
    wan_mtu: int = ETHERNET_MTU
    """Octets of IP that the site's access link carries; routers on both sides of it say so."""
