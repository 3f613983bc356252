"""rtnetlink requests as values: what to change in one namespace (linux/rtnetlink.h, if_link.h, fib_rules.h).

Pure: each function encodes one request and says in words what it asks for, so that an error can quote it.
Interface indices are chosen by the caller, not learnt, so a whole namespace can be set up in one send.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import attribute, nested, text, u32, u64
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from ipaddress import IPv4Interface, IPv6Interface

    from l3conf.model.topology import IPAddress, IPNetwork

LOOPBACK = 1
"""Interface index of ``lo`` in every namespace."""
MAIN_TABLE = 254
"""RT_TABLE_MAIN"""

_CREATE = 0x600  # NLM_F_CREATE | NLM_F_EXCL
_REPLACE = 0x500  # NLM_F_CREATE | NLM_F_REPLACE

_NEWLINK, _DELLINK, _SETLINK = 16, 17, 19
_NEWADDR, _DELADDR = 20, 21
_NEWROUTE, _DELROUTE = 24, 25
_NEWNEIGH, _DELNEIGH = 28, 29
_NEWRULE, _DELRULE = 32, 33
_SETNEIGHTBL = 67

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD, _IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 28, 31, 32
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_METRICS, _RTA_TABLE = 1, 4, 5, 6, 7, 8, 15
_RTAX_MTU = 2
_NDA_DST, _NDA_LLADDR = 1, 2
_FRA_DST, _FRA_SRC, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE, _FRA_FWMASK = 1, 2, 6, 10, 15, 16
_NDTA_NAME, _NDTA_PARMS = 1, 6
_NDTPA_IFINDEX, _NDTPA_RETRANS_TIME, _NDTPA_MCAST_PROBES = 1, 5, 11

_IFF_UP = 1
_IFA_F_NODAD = 0x02
_NUD_REACHABLE, _NUD_PERMANENT = 0x02, 0x80
_PROTOCOL_STATIC = 4  # RTPROT_STATIC
_LINK_SCOPE, _UNIVERSE_SCOPE = 253, 0
_FR_ACT_TO_TBL = 1

_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ADDRESS = struct.Struct("=BBBBi")  # ifaddrmsg
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg
_FAMILY_ONLY = struct.Struct("=Bxxx")  # ndtmsg

_FAMILY = {4: 2, 6: 10}
"""IP version to AF_INET and AF_INET6."""

_NEIGHBOUR_CACHE = {IPFamily.IPV4: ("arp_cache", 2), IPFamily.IPV6: ("ndisc_cache", 10)}

_ONE_QUEUE = u32(_IFLA_NUM_TX_QUEUES, 1) + u32(_IFLA_NUM_RX_QUEUES, 1)
"""More queues than one cost creation time and memory and gain a lab nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """One encoded request; the sender adds the netlink header."""

    kind: int
    """RTM_*"""
    flags: int
    """NLM_F_* beyond REQUEST and ACK."""
    body: bytes
    what: str
    """The request in words, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The far end of a veth pair, made in place: moving it later would cost an RCU grace period."""

    namespace_fd: int
    name: str
    index: int
    mac: bytes | None = None
    mtu: int = 1500


class RouteKind(enum.Enum):
    """What a route does with packets (RTN_*)."""

    UNICAST = 1
    BLACKHOLE = 6
    UNREACHABLE = 7


def add_bridge(name: str, index: int, *, mac: bytes | None = None, mtu: int = 1500) -> Request:
    """Make a bridge, up, without spanning tree."""
    body = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu) + _mac(mac)
    body += nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"bridge"))
    return Request(_NEWLINK, _CREATE, body, f"add bridge {name}")


def add_veth(
    name: str, index: int, peer: Peer, *, master: int | None = None, mac: bytes | None = None, mtu: int = 1500
) -> Request:
    """Make a veth pair: this end up and in bridge ``master``, the peer in its own namespace, still down.

    The kernel cannot create a peer up: set it up from its own namespace.
    """
    far = _LINK.pack(0, 0, peer.index, 0, 0) + text(_IFLA_IFNAME, peer.name) + u32(_IFLA_MTU, peer.mtu)
    far += _mac(peer.mac) + u32(_IFLA_NET_NS_FD, peer.namespace_fd) + _ONE_QUEUE
    body = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu) + _mac(mac)
    if master is not None:
        body += u32(_IFLA_MASTER, master)
    pair = nested(_IFLA_INFO_DATA, nested(_VETH_INFO_PEER, far))
    body += _ONE_QUEUE + nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"veth"), pair)
    return Request(_NEWLINK, _CREATE, body, f"add veth {name} with peer {peer.name}")


def set_link(index: int, *, up: bool | None = None, mtu: int | None = None, mac: bytes | None = None) -> Request:
    """Change a link; what is None stays as it is."""
    change = 0 if up is None else _IFF_UP
    body = _LINK.pack(0, 0, index, change if up else 0, change) + _mac(mac)
    if mtu is not None:
        body += u32(_IFLA_MTU, mtu)
    return Request(_SETLINK, 0, body, f"set link {index} up={up} mtu={mtu}")


def delete_link(index: int) -> Request:
    """Remove a link; the other end of a veth pair goes with it."""
    return Request(_DELLINK, 0, _LINK.pack(0, 0, index, 0, 0), f"delete link {index}")


def add_address(index: int, interface: IPv4Interface | IPv6Interface) -> Request:
    """Add an address with its on-link prefix; an IPv6 address is usable at once (no duplicate detection)."""
    packed = interface.ip.packed
    flags = _IFA_F_NODAD if interface.version == 6 else 0  # noqa: PLR2004 - the IP version number
    body = _ADDRESS.pack(_FAMILY[interface.version], interface.network.prefixlen, flags, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    return Request(_NEWADDR, _CREATE, body, f"add address {interface} to link {index}")


def delete_address(index: int, interface: IPv4Interface | IPv6Interface) -> Request:
    """Remove an address."""
    body = _ADDRESS.pack(_FAMILY[interface.version], interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, interface.ip.packed)
    return Request(_DELADDR, 0, body, f"delete address {interface} from link {index}")


def add_route(
    destination: IPNetwork,
    *,
    gateway: IPAddress | None = None,
    link: int | None = None,
    source: IPAddress | None = None,
    mtu: int | None = None,
    metric: int | None = None,
    table: int = MAIN_TABLE,
    kind: RouteKind = RouteKind.UNICAST,
) -> Request:
    """Add a route; ``source`` is the preferred source address of packets made here."""
    body = _route_header(destination, table, kind, on_link=gateway is None)
    if gateway is not None:
        body += attribute(_RTA_GATEWAY, gateway.packed)
    if link is not None:
        body += u32(_RTA_OIF, link)
    if source is not None:
        body += attribute(_RTA_PREFSRC, source.packed)
    if metric is not None:
        body += u32(_RTA_PRIORITY, metric)
    if mtu is not None:
        body += nested(_RTA_METRICS, u32(_RTAX_MTU, mtu))
    what = f"add {kind.name.lower()} route {destination} via {gateway} link {link} table {table}"
    return Request(_NEWROUTE, _CREATE, body, what)


def delete_route(destination: IPNetwork, *, table: int = MAIN_TABLE) -> Request:
    """Remove the route to ``destination`` from ``table``."""
    version = _FAMILY[destination.version]
    header = _ROUTE.pack(version, destination.prefixlen, 0, 0, min(table, 255), 0, 255, 0, 0)  # 255: RT_SCOPE_NOWHERE
    body = header + _prefix(_RTA_DST, destination) + u32(_RTA_TABLE, table)
    return Request(_DELROUTE, 0, body, f"delete route {destination} from table {table}")


def add_neighbour(link: int, address: IPAddress, mac: bytes, *, permanent: bool = True) -> Request:
    """Tell the kernel a neighbour's link-layer address, replacing what it knew."""
    state = _NUD_PERMANENT if permanent else _NUD_REACHABLE
    body = _NEIGHBOUR.pack(_FAMILY[address.version], link, state, 0, 0)
    body += attribute(_NDA_DST, address.packed) + attribute(_NDA_LLADDR, mac)
    return Request(_NEWNEIGH, _REPLACE, body, f"add neighbour {address} at {mac.hex(':')} on link {link}")


def delete_neighbour(link: int, address: IPAddress) -> Request:
    """Make the kernel forget a neighbour."""
    body = _NEIGHBOUR.pack(_FAMILY[address.version], link, 0, 0, 0) + attribute(_NDA_DST, address.packed)
    return Request(_DELNEIGH, 0, body, f"delete neighbour {address} on link {link}")


def set_neighbour_timing(link: int, family: IPFamily, *, retransmit_ms: int, probes: int) -> Request:
    """Set how often and how many times an unanswered ARP or neighbour solicitation is sent on a link."""
    cache, number = _NEIGHBOUR_CACHE[family]
    timing = u64(_NDTPA_RETRANS_TIME, retransmit_ms) + u32(_NDTPA_MCAST_PROBES, probes)
    parameters = nested(_NDTA_PARMS, u32(_NDTPA_IFINDEX, link), timing)
    body = _FAMILY_ONLY.pack(number) + text(_NDTA_NAME, cache) + parameters
    return Request(_SETNEIGHTBL, 0, body, f"set {cache} timing of link {link}")


def add_rule(
    priority: int,
    *,
    version: int,
    table: int,
    source: IPNetwork | None = None,
    destination: IPNetwork | None = None,
    mark: int | None = None,
) -> Request:
    """Add a policy rule that looks ``table`` up for what matches."""
    body = _rule(priority, version, table, source, destination, mark)
    return Request(_NEWRULE, _CREATE, body, f"add IPv{version} rule {priority} table {table}")


def delete_rule(priority: int, *, version: int, table: int) -> Request:
    """Remove the policy rule of that priority and table."""
    body = _rule(priority, version, table, None, None, None)
    return Request(_DELRULE, 0, body, f"delete IPv{version} rule {priority} table {table}")


def _rule(
    priority: int,
    version: int,
    table: int,
    source: IPNetwork | None,
    destination: IPNetwork | None,
    mark: int | None,
) -> bytes:
    lengths = destination.prefixlen if destination else 0, source.prefixlen if source else 0
    body = _ROUTE.pack(_FAMILY[version], *lengths, 0, min(table, 255), 0, 0, _FR_ACT_TO_TBL, 0)
    body += u32(_FRA_PRIORITY, priority) + u32(_FRA_TABLE, table)
    if source is not None:
        body += _prefix(_FRA_SRC, source)
    if destination is not None:
        body += _prefix(_FRA_DST, destination)
    if mark is not None:
        body += u32(_FRA_FWMARK, mark) + u32(_FRA_FWMASK, 0xFFFFFFFF)
    return body


def _route_header(destination: IPNetwork, table: int, kind: RouteKind, *, on_link: bool) -> bytes:
    scope = _LINK_SCOPE if on_link and kind is RouteKind.UNICAST else _UNIVERSE_SCOPE
    family, length = _FAMILY[destination.version], destination.prefixlen
    # The header's table is one byte; RTA_TABLE carries the whole number.
    header = _ROUTE.pack(family, length, 0, 0, min(table, 255), _PROTOCOL_STATIC, scope, kind.value, 0)
    return header + _prefix(_RTA_DST, destination) + u32(_RTA_TABLE, table)


def _prefix(kind: int, network: IPNetwork) -> bytes:
    return attribute(kind, network.network_address.packed) if network.prefixlen else b""


def _mac(mac: bytes | None) -> bytes:
    return b"" if mac is None else attribute(_IFLA_ADDRESS, mac)
