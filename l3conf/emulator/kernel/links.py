"""rtnetlink requests for links and addresses, as values (linux/rtnetlink.h, if_link.h, if_addr.h).

Pure: each function encodes one request and says in words what it asks for, so that an error can quote it.
Interface indices are chosen by the caller, not learnt, so a whole namespace can be set up in one send.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import attribute, nested, text, u32
from l3conf.emulator.kernel.request import CREATE, FAMILY, Request

if TYPE_CHECKING:
    from ipaddress import IPv4Interface, IPv6Interface

LOOPBACK = 1
"""Interface index of ``lo`` in every namespace."""


_NEWLINK, _DELLINK, _SETLINK = 16, 17, 19
_NEWADDR, _DELADDR = 20, 21

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD, _IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 28, 31, 32
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFLA_AF_SPEC, _AF_INET, _IFLA_INET_CONF, _DEVCONF_PROXY_ARP = 26, 2, 1, 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2

_IFF_UP = 1
_IFA_F_NODAD = 0x02

_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ADDRESS = struct.Struct("=BBBBi")  # ifaddrmsg


_ONE_QUEUE = u32(_IFLA_NUM_TX_QUEUES, 1) + u32(_IFLA_NUM_RX_QUEUES, 1)
"""More queues than one cost creation time and memory and gain a lab nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The far end of a veth pair, made in place: moving it later would cost an RCU grace period."""

    namespace_fd: int
    name: str
    index: int
    mac: bytes | None = None
    mtu: int = 1500


def add_bridge(name: str, index: int, *, mac: bytes | None = None, mtu: int = 1500) -> Request:
    """Make a bridge, up, without spanning tree."""
    body = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu) + _mac(mac)
    body += nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"bridge"))
    return Request(_NEWLINK, CREATE, body, "add bridge {}", (name,))


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
    return Request(_NEWLINK, CREATE, body, "add veth {} with peer {}", (name, peer.name))


@functools.cache
def set_link(index: int, *, up: bool | None = None, mtu: int | None = None, mac: bytes | None = None) -> Request:
    """Change a link; what is None stays as it is."""
    change = 0 if up is None else _IFF_UP
    body = _LINK.pack(0, 0, index, change if up else 0, change) + _mac(mac)
    if mtu is not None:
        body += u32(_IFLA_MTU, mtu)
    return Request(_SETLINK, 0, body, "set link {} up={} mtu={}", (index, up, mtu))


def answer_for_everyone(index: int) -> Request:
    """Make a link answer ARP requests for whatever this host has a route to (proxy ARP)."""
    settings = nested(_AF_INET, nested(_IFLA_INET_CONF, u32(_DEVCONF_PROXY_ARP, 1)))
    body = _LINK.pack(0, 0, index, 0, 0) + nested(_IFLA_AF_SPEC, settings)
    return Request(_SETLINK, 0, body, "set proxy ARP on link {}", (index,))


def delete_link(index: int) -> Request:
    """Remove a link; the other end of a veth pair goes with it."""
    return Request(_DELLINK, 0, _LINK.pack(0, 0, index, 0, 0), "delete link {}", (index,))


def add_address(index: int, interface: IPv4Interface | IPv6Interface) -> Request:
    """Add an address with its on-link prefix; an IPv6 address is usable at once (no duplicate detection)."""
    packed = interface.ip.packed
    flags = _IFA_F_NODAD if interface.version == 6 else 0  # noqa: PLR2004 - the IP version number
    body = _ADDRESS.pack(FAMILY[interface.version], interface.network.prefixlen, flags, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    return Request(_NEWADDR, CREATE, body, "add address {} to link {}", (interface, index))


def delete_address(index: int, interface: IPv4Interface | IPv6Interface) -> Request:
    """Remove an address."""
    body = _ADDRESS.pack(FAMILY[interface.version], interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, interface.ip.packed)
    return Request(_DELADDR, 0, body, "delete address {} from link {}", (interface, index))


def _mac(mac: bytes | None) -> bytes:
    return b"" if mac is None else attribute(_IFLA_ADDRESS, mac)
