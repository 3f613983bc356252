"""Hardware addresses of tunnel devices, derived from the underlay so that nobody has to be asked for them.

The usual way, a VTEP address made by replacing the first octet of the node's, collides for two nodes that
differ only there. Here tunnel devices have no IP address at all: a route names the peer's *underlay* address as
an on-link next hop, and that address has a permanent neighbour entry. What is unique in the underlay therefore
stays unique in the overlay.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from reference_impl.names import NODE_DEVICE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reference_impl.state import InterfaceAddress, IPAddress, IPNetwork

LEAST_IPV6 = 1280
"""What every link has to carry over IPv6, in bytes (RFC 8200 section 5)."""
_LOCAL_UNICAST = 0x02
_IPV4_MARK = 0x55
"""Second octet for IPv4: 02:55 and the four octets of the address."""


def tunnel_mac(underlay: IPAddress) -> str:
    """Return the hardware address of the tunnel device of the host with this underlay address.

    IPv4: the address itself, hence unique. IPv6: 46 bits of its SHA-256; among a thousand gateways two meet
    with a probability below 10^-8.
    """
    if underlay.version == 4:  # noqa: PLR2004 - the IP version number
        octets = bytes([_LOCAL_UNICAST, _IPV4_MARK]) + underlay.packed
    else:
        digest = hashlib.sha256(underlay.packed).digest()
        octets = bytes([(digest[0] & 0xFC) | _LOCAL_UNICAST]) + digest[1:6]
    return ":".join(f"{octet:02x}" for octet in octets)


def next_hop(underlay: IPAddress, version: int) -> IPAddress:
    """Return what a route to inner packets of ``version`` names as next hop: the far end of the tunnel there.

    IPv4 over IPv4: the underlay address itself. Otherwise the link-local address that belongs to the tunnel's MAC
    (RFC 4291): the kernel refuses an IPv6 next hop that it knows on another link, as hosts of one LAN know each other.
    It serves whatever the underlay is, and IPv4 routes may name it as well (RFC 5549).
    """
    if version == underlay.version == 4:  # noqa: PLR2004 - the IP version number
        return underlay
    mac = bytes.fromhex(tunnel_mac(underlay).replace(":", ""))
    interface = bytes([mac[0] ^ _LOCAL_UNICAST]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + interface)


def address_within(
    addresses: Iterable[InterfaceAddress], prefixes: Iterable[IPNetwork], version: int = 4
) -> IPAddress | None:
    """Return the node's own address inside one of the pod CIDRs (its bridge's), None if it has none.

    It is what peers can route back to, hence the source of the node's own packets and its ``healthCheckIP``.
    The lowest one, so that a second pod interface changes nothing.
    """
    wanted = [prefix for prefix in prefixes if prefix.version == version]
    inside = [entry.address for entry in addresses if any(entry.address in prefix for prefix in wanted)]
    return min(inside, key=int, default=None)


def host_addresses(
    addresses: Iterable[InterfaceAddress], prefixes: Sequence[IPNetwork], pod_ranges: Sequence[IPNetwork]
) -> dict[int, IPAddress]:
    """Return under which addresses the node itself appears in other clusters, by IP version, IPv4 first.

    Its own one inside a pod CIDR (``prefixes``), as plugins with a bridge give it. Plugins that route to every pod
    give none: then it is the network address of the node's slice (``pod_ranges``), which no plugin gives to a pod
    (Flannel's VTEP has it, and in IPv6 it is the routers' anycast address, RFC 4291 section 2.6.1). It may be one that
    the node does not have yet.
    """
    of_others = [entry for entry in addresses if entry.device != NODE_DEVICE]
    slices = {pod_range.version: pod_range.network_address for pod_range in reversed(pod_ranges)}
    found = {version: address_within(of_others, prefixes, version) or slices.get(version) for version in (4, 6)}
    return {version: address for version, address in found.items() if address is not None}


def underlay_mtu(addresses: Iterable[InterfaceAddress], underlay: IPAddress) -> int | None:
    """Return the MTU of the device that carries the underlay address; None if the node does not have it."""
    return next((entry.mtu for entry in addresses if entry.address == underlay), None)


def inner_mtu(outer: int, overhead: int, versions: Collection[int], *, cuts: bool = True) -> int:
    """Return the MTU of a tunnel device, in bytes, on a link that carries ``outer``.

    A link of IPv6 has to carry 1280 bytes (RFC 8200 section 5): a smaller one has no IPv6 at all in Linux. So where
    outer packets are cut up and put together again (``cuts``), that is left to carry the last few.
    """
    room = outer - overhead
    return max(room, LEAST_IPV6) if cuts and 6 in versions else room  # noqa: PLR2004 - the IP version number


def vxlan_mtu(outer: int, overhead: int, versions: Collection[int], underlay: IPAddress) -> int:
    """Return the same for VXLAN, whose outer packets Linux cuts up over IPv4 only."""
    return inner_mtu(outer, overhead, versions, cuts=underlay.version == 4)  # noqa: PLR2004 - likewise


def segment_mtu(mtu: int, overhead: int, underlay: IPAddress) -> int:
    """Return what packets of TCP connections are to fit into, in bytes, where a tunnel device carries ``mtu``.

    Outer packets of IPv4 are cut up where a path is smaller than the link. Those of IPv6 are not, and nobody may hear
    that they were dropped (RFC 4890): what is sure to pass is what every path has to carry.
    """
    return mtu if underlay.version == 4 else min(mtu, LEAST_IPV6 - overhead)  # noqa: PLR2004 - likewise


def contains(prefixes: Iterable[IPNetwork], address: IPAddress) -> bool:
    """Say whether one of the prefixes holds the address (never across families)."""
    return any(address in prefix for prefix in prefixes)
