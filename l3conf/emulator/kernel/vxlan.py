"""rtnetlink requests for VXLAN devices (RFC 7348; linux/if_link.h, neighbour.h), as values. Pure, like ``links``."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.attributes import attribute, nested, text, u32
from l3conf.emulator.kernel.request import CREATE, Request

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

_NEWLINK, _NEWNEIGH, _DELNEIGH = 16, 28, 29
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO = 1, 3, 4, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_ID, _LEARNING, _PORT = 1, 7, 15  # IFLA_VXLAN_*
_LOCAL = {4: 4, 6: 17}
"""IP version to IFLA_VXLAN_LOCAL and IFLA_VXLAN_LOCAL6."""
_NDA_DST, _NDA_LLADDR = 1, 2
_AF_BRIDGE = 7
_NUD_PERMANENT, _NTF_SELF = 0x80, 0x02

_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg


def add_vxlan(name: str, index: int, *, vni: int, port: int, local: IPAddress, mac: bytes, mtu: int) -> Request:
    """Make a VXLAN device, down, that learns nothing: it sends only to what ``add_forwarding`` names.

    ``local`` is the address of this end and decides the underlay's family. The MTU is given, because without an
    underlying device the kernel would take 1500 and fragment.
    """
    body = _LINK.pack(0, 0, index, 0, 0) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu)
    body += attribute(_IFLA_ADDRESS, mac)
    data = u32(_ID, vni) + attribute(_LEARNING, b"\0") + attribute(_PORT, port.to_bytes(2, "big"))
    data += attribute(_LOCAL[local.version], local.packed)
    body += nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"vxlan"), nested(_IFLA_INFO_DATA, data))
    return Request(_NEWLINK, CREATE, body, "add vxlan {} from {}", (name, local))


def add_forwarding(link: int, mac: bytes, destination: IPAddress) -> Request:
    """Tell a VXLAN device which underlay address a MAC is behind."""
    body = _NEIGHBOUR.pack(_AF_BRIDGE, link, _NUD_PERMANENT, _NTF_SELF, 0)
    body += attribute(_NDA_DST, destination.packed) + attribute(_NDA_LLADDR, mac)
    return Request(_NEWNEIGH, CREATE, body, "add forwarding of {} to {} on link {}", (mac.hex(":"), destination, link))


def delete_forwarding(link: int, mac: bytes, destination: IPAddress) -> Request:
    """Make a VXLAN device forget that a MAC is behind an underlay address."""
    body = _NEIGHBOUR.pack(_AF_BRIDGE, link, 0, _NTF_SELF, 0)
    body += attribute(_NDA_DST, destination.packed) + attribute(_NDA_LLADDR, mac)
    return Request(_DELNEIGH, 0, body, "delete forwarding of {} to {} on link {}", (mac.hex(":"), destination, link))
