"""Two WireGuard devices a gateway, so that packets of two gateways of one member are taken at once.

A device gives each prefix to one peer: it drops what any other one sends from there. While a member's active gateway
moves, its nodes send through the old one and through the new one, whatever other members have heard of it by then. So
the gateways that stand by are peers of a second device, and what one of them sends is taken before it is active.

Nobody else has to know. Both devices have the gateway's key, and on the wire both have its port: packets are led to the
second one by the address that they come from. So a gateway that shares an address with another one, as two do behind
one NAT, is a peer of the first device, where a move costs what is under way.

Which device a gateway is on follows from where it has a session: it stays there when it becomes the active one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """What a node's WireGuard devices know of their peers; a peer is a device's name and a public key."""

    devices: frozenset[str] = frozenset()
    """Those that are there, or can be made."""
    heard: frozenset[tuple[str, str]] = frozenset()
    """Peers with a session."""
    trusted: frozenset[tuple[str, str]] = frozenset()
    """Peers that may send from some prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A peer's gateway on a device."""

    gateway: Endpoint
    device: str
    trusted: bool
    """Whether what it sends is taken: the active gateway's, and that of one more on the other device."""


def sessions_of(observed: Observed) -> Sessions:
    """Return what was seen of sessions."""
    peers = observed.state.peers
    return Sessions(
        devices=observed.wireguard_devices,
        heard=frozenset((peer.device, peer.public_key) for peer in peers if peer.public_key in observed.roaming),
        trusted=frozenset((peer.device, peer.public_key) for peer in peers if peer.allowed),
    )


def plan_lanes(
    peers: Sequence[Endpoint], devices: tuple[str, str], sessions: Sessions, identity: Callable[[Endpoint], str]
) -> Mapping[str, tuple[Lane, ...]]:
    """Return, by cluster id, the active gateway's lane and then those of the gateways that stand by. Pure."""
    first, second = devices
    shared = _shared(peers)

    def fits(gateway: Endpoint) -> bool:
        return second in sessions.devices and not outer(gateway) & shared

    lanes = {}
    for peer in peers:
        is_second = fits(peer) and (second, identity(peer)) in sessions.heard
        active = Lane(gateway=peer, device=second if is_second else first, trusted=True)
        places = [(each, first if is_second or not fits(each) else second) for each in peer.standbys]
        apart = [(each, device) for each, device in places if device != active.device]
        # Who was trusted on that device stays it: a gateway just relieved has packets under way.
        chosen = min(apart, key=lambda item: (item[1], identity(item[0])) not in sessions.trusted, default=None)
        standing_by = [
            Lane(gateway=each, device=device, trusted=chosen is not None and each is chosen[0])
            for each, device in places
        ]
        lanes[peer.cluster_id] = (active, *standing_by)
    return lanes


def outer(gateway: Endpoint) -> frozenset[IPAddress]:
    """Return the addresses that a gateway's packets may come from, as far as it says."""
    found = (gateway.private_ip, gateway.public_ip, gateway.tunnel_address)
    return frozenset(address for address in found if address is not None)


def _shared(peers: Sequence[Endpoint]) -> frozenset[IPAddress]:
    """Return the addresses that more than one gateway has."""
    found = Counter(address for peer in peers for each in (peer, *peer.standbys) for address in outer(each))
    return frozenset(address for address, count in found.items() if count > 1)
