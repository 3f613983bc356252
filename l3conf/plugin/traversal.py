"""What rows on NAT and address discovery ask of a lab: addresses that members say and use, and discovery repeated.

Judgements are pure; the lab's methods of the same names read what they need and call them.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.capture.packets import UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.capture.packets import Packet
    from l3conf.model.topology import IPAddress

DISCOVERY_PORT = "natt-discovery-port"
"""Entry of ``Endpoint.spec.backend_config``."""
_IPV4, _SOURCE, _UDP_CHECKSUM = 4, 12, 6


def discovery_ports(endpoints: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """Return the UDP ports at which Endpoints offer address discovery."""
    said = (str((obj["spec"].get("backend_config") or {}).get(DISCOVERY_PORT, "")) for obj in endpoints)
    return frozenset(int(text) for text in said if text.isdecimal() and text != "0")


def of_ports(packets: Iterable[Packet], ports: frozenset[int]) -> tuple[Packet, ...]:
    """Return the UDP packets to or from one of the ports."""
    return tuple(
        packet for packet in packets if packet.protocol == UDP and ports & {packet.source_port, packet.destination_port}
    )


def repeated(recorded: Sequence[Packet], outsider: IPAddress) -> list[bytes]:
    """Return recorded IPv4 datagrams as an outsider sends them: as they were and altered, by their source and its own.

    Its own come last: whoever believes the last that spoke must be seen to do so.
    """
    packets = [packet for packet in recorded if packet.source.version == _IPV4]
    from_source = [data for packet in packets for data in (packet.data, _altered(packet, packet.source, flip=True))]
    from_outsider = [_altered(packet, outsider, flip=flip) for packet in packets for flip in (True, False)]
    return from_source + from_outsider


def diverted(packets: Iterable[Packet], outsider: IPAddress, ports: frozenset[int]) -> list[str]:
    """Return a line for every UDP packet to the outsider that is no answer of discovery."""
    return [
        str(packet)
        for packet in packets
        if packet.destination == outsider
        and packet.protocol == UDP
        and packet.destination_port
        and not ports & {packet.source_port, packet.destination_port}
    ]


def advertised_otherwise(
    cluster: str, address: IPAddress, endpoints: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[str]:
    """Return a line for every holder that does not know this public address of a cluster. ``endpoints``: by holder."""
    lines = []
    for holder, objects in endpoints.items():
        own = [obj["spec"] for obj in objects if obj["spec"].get("cluster_id") == cluster]
        said = [str(spec.get("public_ip") or "") for spec in own]
        if not said or any(not text or ip_address(text) != address for text in said):
            lines.append(f"{holder} knows {cluster} at {', '.join(said) or 'no Endpoint'}")
    return lines


def found_elsewhere(
    cluster: str, address: IPAddress, endpoints: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[str]:
    """Return a line for every holder that knows a cluster's gateway not at this private address, or not there alone.

    A gateway with addresses of both families has one of them published: one of the other family is no other place.
    """
    lines = []
    for holder, objects in endpoints.items():
        said = [str(obj["spec"].get("private_ip")) for obj in objects if obj["spec"].get("cluster_id") == cluster]
        if said != [str(address)] and not (len(said) == 1 and _of_other_family(said[0], address)):
            lines.append(f"{holder} knows {cluster} at {', '.join(said) or 'no Endpoint'}")
    return lines


def _of_other_family(text: str, address: IPAddress) -> bool:
    try:
        return ip_address(text).version != address.version
    except ValueError:
        return False


def not_private(cluster: str, entry: Mapping[str, Any] | None) -> list[str]:
    """Return what a connection's entry says, unless it says that the peer's private address is used."""
    if entry is None:
        return [f"{cluster} says nothing"]
    private, using = entry["endpoint"].get("private_ip"), entry.get("usingIP")
    return [] if using == private and entry.get("usingNAT") is False else [f"{cluster} says that {using} is used"]


def _altered(packet: Packet, source: IPAddress, *, flip: bool = False) -> bytes:
    """Return a packet from another source, without UDP checksum, with one bit of its payload changed if asked for."""
    data = bytearray(packet.data)
    header = (data[0] & 0x0F) * 4
    data[_SOURCE : _SOURCE + 4] = source.packed
    data[header + _UDP_CHECKSUM : header + _UDP_CHECKSUM + 2] = b"\0\0"
    if flip and packet.payload:
        data[-1] ^= 1
    return bytes(data)
