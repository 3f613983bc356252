"""rtnetlink requests for routes, rules and neighbours, as values (linux/rtnetlink.h, fib_rules.h, neighbour.h).

Pure, like ``links``.
"""

from __future__ import annotations

import enum
import functools
import struct
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import attribute, nested, text, u32, u64
from l3conf.emulator.kernel.request import CREATE, FAMILY, REPLACE, Request
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress, IPNetwork

MAIN_TABLE = 254
"""RT_TABLE_MAIN"""

_NEWROUTE, _DELROUTE = 24, 25
_NEWNEIGH, _DELNEIGH = 28, 29
_NEWRULE, _DELRULE = 32, 33
_SETNEIGHTBL = 67

_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_METRICS, _RTA_TABLE = 1, 4, 5, 6, 7, 8, 15
_RTAX_MTU = 2
_NDA_DST, _NDA_LLADDR = 1, 2
_FRA_DST, _FRA_SRC, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE, _FRA_FWMASK = 1, 2, 6, 10, 15, 16
_NDTA_NAME, _NDTA_PARMS = 1, 6
_NDTPA_IFINDEX, _NDTPA_RETRANS_TIME, _NDTPA_MCAST_PROBES, _NDTPA_PROXY_DELAY = 1, 5, 11, 13

_NUD_REACHABLE, _NUD_PERMANENT = 0x02, 0x80
_PROTOCOL_STATIC = 4  # RTPROT_STATIC
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_TO_TABLE = 1  # FR_ACT_TO_TBL
_RTNH_F_ONLINK = 4

_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg
_FAMILY_ONLY = struct.Struct("=Bxxx")  # ndtmsg

_NEIGHBOUR_CACHE = {IPFamily.IPV4: ("arp_cache", 2), IPFamily.IPV6: ("ndisc_cache", 10)}


class RouteKind(enum.Enum):
    """What a route does with packets (RTN_*)."""

    UNICAST = 1
    BLACKHOLE = 6
    UNREACHABLE = 7


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
    assume_on_link: bool = False,
) -> Request:
    """Add a route; ``source`` is the preferred source address of packets made here.

    With ``assume_on_link`` the gateway is taken to be on ``link``, whatever the routes to it say.
    """
    flags = _RTNH_F_ONLINK if assume_on_link else 0
    body = _route_header(destination, table, kind, flags, on_link=gateway is None)
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
    about = (kind.name.lower(), destination, gateway, link, table)
    return Request(_NEWROUTE, CREATE, body, "add {} route {} via {} link {} table {}", about)


def delete_route(destination: IPNetwork, *, table: int = MAIN_TABLE) -> Request:
    """Remove the route to ``destination`` from ``table``."""
    version = FAMILY[destination.version]
    header = _ROUTE.pack(version, destination.prefixlen, 0, 0, min(table, 255), 0, _SCOPE_NOWHERE, 0, 0)
    body = header + _prefix(_RTA_DST, destination) + u32(_RTA_TABLE, table)
    return Request(_DELROUTE, 0, body, "delete route {} from table {}", (destination, table))


def add_neighbour(link: int, address: IPAddress, mac: bytes, *, permanent: bool = True) -> Request:
    """Tell the kernel a neighbour's link-layer address, replacing what it knew."""
    state = _NUD_PERMANENT if permanent else _NUD_REACHABLE
    body = _NEIGHBOUR.pack(FAMILY[address.version], link, state, 0, 0)
    body += attribute(_NDA_DST, address.packed) + attribute(_NDA_LLADDR, mac)
    return Request(_NEWNEIGH, REPLACE, body, "add neighbour {} at {} on link {}", (address, mac.hex(":"), link))


def delete_neighbour(link: int, address: IPAddress) -> Request:
    """Make the kernel forget a neighbour."""
    body = _NEIGHBOUR.pack(FAMILY[address.version], link, 0, 0, 0) + attribute(_NDA_DST, address.packed)
    return Request(_DELNEIGH, 0, body, "delete neighbour {} on link {}", (address, link))


@functools.cache
def set_neighbour_timing(link: int, family: IPFamily, *, retransmit_ms: int, probes: int) -> Request:
    """Set how often and how many times an unanswered ARP or neighbour solicitation is sent on a link."""
    cache, number = _NEIGHBOUR_CACHE[family]
    timing = u64(_NDTPA_RETRANS_TIME, retransmit_ms) + u32(_NDTPA_MCAST_PROBES, probes)
    parameters = nested(_NDTA_PARMS, u32(_NDTPA_IFINDEX, link), timing)
    body = _FAMILY_ONLY.pack(number) + text(_NDTA_NAME, cache) + parameters
    return Request(_SETNEIGHTBL, 0, body, "set {} timing of link {}", (cache, link))


def set_proxy_delay(link: int, family: IPFamily, *, delay_ms: int) -> Request:
    """Set how long a link may wait before it answers for others; the kernel's default is up to 800 ms."""
    cache, number = _NEIGHBOUR_CACHE[family]
    parameters = nested(_NDTA_PARMS, u32(_NDTPA_IFINDEX, link), u64(_NDTPA_PROXY_DELAY, delay_ms))
    body = _FAMILY_ONLY.pack(number) + text(_NDTA_NAME, cache) + parameters
    return Request(_SETNEIGHTBL, 0, body, "set {} proxy delay of link {}", (cache, link))


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
    return Request(_NEWRULE, CREATE, body, "add IPv{} rule {} table {}", (version, priority, table))


def delete_rule(priority: int, *, version: int, table: int) -> Request:
    """Remove the policy rule of that priority and table."""
    body = _rule(priority, version, table, None, None, None)
    return Request(_DELRULE, 0, body, "delete IPv{} rule {} table {}", (version, priority, table))


def _rule(
    priority: int,
    version: int,
    table: int,
    source: IPNetwork | None,
    destination: IPNetwork | None,
    mark: int | None,
) -> bytes:
    lengths = destination.prefixlen if destination else 0, source.prefixlen if source else 0
    body = _ROUTE.pack(FAMILY[version], *lengths, 0, min(table, 255), 0, 0, _TO_TABLE, 0)
    body += u32(_FRA_PRIORITY, priority) + u32(_FRA_TABLE, table)
    if source is not None:
        body += _prefix(_FRA_SRC, source)
    if destination is not None:
        body += _prefix(_FRA_DST, destination)
    if mark is not None:
        body += u32(_FRA_FWMARK, mark) + u32(_FRA_FWMASK, 0xFFFFFFFF)
    return body


def _route_header(destination: IPNetwork, table: int, kind: RouteKind, flags: int, *, on_link: bool) -> bytes:
    scope = _SCOPE_LINK if on_link and kind is RouteKind.UNICAST else _SCOPE_UNIVERSE
    family, length = FAMILY[destination.version], destination.prefixlen
    # The header's table is one byte; RTA_TABLE carries the whole number.
    header = _ROUTE.pack(family, length, 0, 0, min(table, 255), _PROTOCOL_STATIC, scope, kind.value, flags)
    return header + _prefix(_RTA_DST, destination) + u32(_RTA_TABLE, table)


def _prefix(kind: int, network: IPNetwork) -> bytes:
    return attribute(kind, network.network_address.packed) if network.prefixlen else b""
