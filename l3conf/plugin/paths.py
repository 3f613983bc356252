"""What status says of a connection's path, against what passes between the sites. Pure.

The address in use and the driver are read off captured packets; a driver is told by the format that its specification
gives to packets, whatever port they use. Of drivers without an entry here nothing is concluded.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from l3conf.capture.packets import UDP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.capture.packets import Packet
    from l3conf.model.topology import IPNetwork

_ESP = 50
_NATT_PORT = 4500
_VXLAN_HEADER, _INNER_TYPE = 8, slice(20, 22)
_WIREGUARD_DATA, _WIREGUARD_SHORTEST, _WIREGUARD_BLOCK = b"\x04\0\0\0", 32, 16
_RESERVED_SPI = 256
_ETHERTYPES = (b"\x08\x00", b"\x86\xdd")


def _is_vxlan(packet: Packet) -> bool:
    """Look for flags with the I bit, reserved octets, and Ethernet that carries IP (RFC 7348 section 5)."""
    head = packet.payload[:_VXLAN_HEADER]
    return (
        packet.protocol == UDP
        and head[:4] == b"\x08\0\0\0"
        and head[7:8] == b"\0"
        and packet.payload[_INNER_TYPE] in _ETHERTYPES
    )


def _is_wireguard(packet: Packet) -> bool:
    """Type 4 and three zeros; header, padded plain text and tag are multiples of 16 octets (whitepaper 5.4.6)."""
    size = len(packet.payload)
    return (
        packet.protocol == UDP
        and packet.payload[:4] == _WIREGUARD_DATA
        and size >= _WIREGUARD_SHORTEST
        and size % _WIREGUARD_BLOCK == 0
    )


def _is_esp(packet: Packet) -> bool:
    """ESP itself (RFC 4303), or in UDP, where four zeros would mark IKE instead (RFC 3948 section 2.2)."""
    if packet.protocol == _ESP:
        return True
    spi = int.from_bytes(packet.payload[:4], "big")
    at_port = packet.protocol == UDP and _NATT_PORT in {packet.source_port, packet.destination_port}
    return at_port and spi >= _RESERVED_SPI and not _is_vxlan(packet) and not _is_wireguard(packet)


FORMATS: Mapping[str, Callable[[Packet], bool]] = {
    "vxlan": _is_vxlan,
    "wireguard": _is_wireguard,
    "libreswan": _is_esp,
}
"""By ``Endpoint.spec.backend``."""


def misreported(
    entry: Mapping[str, Any], sent: Sequence[Packet], *, size: int, private: Iterable[IPNetwork]
) -> list[str]:
    """Return a line for each part of the path that an entry of ``status.connections`` does not report as it is.

    ``sent`` is what passed towards the peer while probes of ``size`` bytes did, ``private`` the peer's own networks:
    an address outside of them is somebody's who translates.
    """
    probes = [packet for packet in sent if len(packet.data) > size]
    if not probes:
        return [f"nothing of more than {size} bytes passed towards the peer"]
    used = Counter(packet.destination for packet in probes).most_common(1)[0][0]
    translated = not any(used in network for network in private)
    backend = str((entry.get("endpoint") or {}).get("backend") or "")
    fits = FORMATS.get(backend)
    lines = []
    if entry.get("usingIP") != str(used):
        lines.append(f"usingIP is {entry.get('usingIP')!r}, packets go to {used}")
    if entry.get("usingNAT") is not translated:
        lines.append(f"usingNAT is {entry.get('usingNAT')!r}, but {used} is {'not ' * translated}the peer's own")
    if not backend:
        lines.append("endpoint.backend names no cable driver")
    elif fits is not None and not any(map(fits, probes)):
        lines.append(f"endpoint.backend is {backend!r}, and no packet has that format, e.g. {probes[0]}")
    return lines


def associations(sent: Iterable[Packet], *, size: int) -> frozenset[int]:
    """Return the security parameters indices of ESP, plain or in UDP, that carried packets of more than ``size`` bytes.

    Nothing for other tunnels: packets of all pairs of subnets look alike there.
    """
    large = [packet for packet in sent if len(packet.data) > size and _is_esp(packet)]
    return frozenset(int.from_bytes(packet.payload[:4], "big") for packet in large)


def mtu_of(entry: Mapping[str, Any]) -> int:
    """Return the MTU that an entry reports, in bytes of an IP packet between pods; ``AssertionError`` if none."""
    mtu = entry.get("mtu")
    if not isinstance(mtu, int) or mtu <= 0:
        raise AssertionError(f"the connection reports no MTU: mtu is {mtu!r}")
    return mtu


def fragments(sent: Iterable[Packet]) -> list[str]:
    """Return a line for every packet that is only a part of one."""
    return [str(packet) for packet in sent if packet.is_fragment]
