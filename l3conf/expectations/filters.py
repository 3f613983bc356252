"""Filters of captures, each with a packet that it must match: what cannot be calibrated cannot be asked.

A filter that is wrong sees nothing, and "not seen" is what many rows want to hear. So a filter brings a sample:
the outsider sends it while the capture runs, and unless the filter finds it the harness is broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.capture.packets import UDP
from l3conf.model.topology import IPFamily
from l3conf.probes.packets import udp_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.capture.packets import Packet
    from l3conf.expectations.places import Pod
    from l3conf.model.topology import IPAddress
    from l3conf.observation import Observation

    Sample = Callable[[IPAddress, IPAddress, bytes], bytes]
    """Returns a whole IP packet from a source to a destination that the filter must match and that holds the mark."""

DISCARD = 9
"""UDP port of samples: nobody answers there (RFC 863)."""
_SHORTEST = 8
_VERSION_6 = 6
_IPV6_HEADER = 40
_CHECKSUM = 6


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for in a capture."""

    what: str
    """Names it in messages: ``the payload of …``."""
    matches: Callable[[Packet], bool]
    sample: Sample
    family: IPFamily | None = None
    """Family of the sample; None: any that the WAN has."""


def carrying(needle: bytes, what: str) -> Filter:
    """Match packets that hold these bytes anywhere, headers included."""
    if len(needle) < _SHORTEST:
        raise ValueError(f"{len(needle)} bytes are found by chance in what is encrypted; give {_SHORTEST} or more")

    def sample(source: IPAddress, destination: IPAddress, mark: bytes) -> bytes:
        return udp_packet(source, destination, DISCARD, mark + needle, ttl=None)

    return Filter(what, lambda packet: needle in packet.data, sample)


def payload_of(seen: Observation) -> Filter:
    """Match packets in which the payload of a probe can be read: by the nonce that no other probe has."""
    probe = seen.probe
    words = f"the {probe.protocol.value} payload from {probe.source} to {probe.destination}"
    return carrying(bytes.fromhex(seen.nonce), words)


def addresses_of(client: Pod, server: Pod, family: IPFamily) -> Filter:
    """Match packets in which a header from one pod to another can be read: both addresses, as RFC 791 has them."""
    source, destination = client.address(family), server.address(family)
    return carrying(source.packed + destination.packed, f"a header from {source} to {destination}")


def without_checksum(port: int | None = None) -> Filter:
    """Match UDP over IPv6 that was sent with checksum 0 (RFC 6935), to or from a port if one is given."""
    mine = {DISCARD, port}

    def matches(packet: Packet) -> bool:
        if packet.source.version != _VERSION_6 or packet.protocol != UDP or packet.checksum != 0:
            return False
        return port is None or not mine.isdisjoint({packet.source_port, packet.destination_port})

    def sample(source: IPAddress, destination: IPAddress, mark: bytes) -> bytes:
        packet = bytearray(udp_packet(source, destination, DISCARD, mark, ttl=None))
        packet[_IPV6_HEADER + _CHECKSUM : _IPV6_HEADER + _CHECKSUM + 2] = b"\0\0"
        return bytes(packet)

    where = "" if port is None else f" port {port}"
    return Filter(f"UDP over IPv6{where} without checksum", matches, sample, IPFamily.IPV6)
