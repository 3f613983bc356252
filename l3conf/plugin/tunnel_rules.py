"""What the specifications of tunnels say, by the names that Endpoints give to cable drivers. Pure."""

from __future__ import annotations

from l3conf.model.topology import IPFamily

_OVERHEADS = {
    # Outer IP, UDP, VXLAN and the inner Ethernet header (RFC 7348).
    "vxlan": {IPFamily.IPV4: 50, IPFamily.IPV6: 70},
    # Outer IPv6, UDP, type, receiver, counter and tag: 80, which its tools take off whatever the family is.
    "wireguard": {IPFamily.IPV4: 80, IPFamily.IPV6: 80},
}
_OTHERWISE = {IPFamily.IPV4: 100, IPFamily.IPV6: 120}
"""ESP in UDP with the longest common transforms, and some room."""
MAY_OMIT_CHECKSUMS = frozenset({"vxlan"})
"""RFC 7348 section 5 asks for a zero checksum, so RFC 6935 allows it over IPv6. WireGuard and ESP in UDP have no such
clause."""


def overhead(backend: str, family: IPFamily) -> int:
    """Return the bytes that a tunnel adds to a packet over an underlay of a family."""
    return _OVERHEADS.get(backend, _OTHERWISE)[family]
