"""WireGuard between gateways: encrypted, and each peer may send only from what it announced.

One device, one peer a cluster, told apart by public key alone. Cryptokey routing does what is asked of a secure
cable: a packet whose inner source is not among the sender's allowed prefixes is dropped (L3-B7), an outer source may
change at any time, and without a session nothing leaves at all (L3-B13).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reference_impl.names import (
    CABLE_PORT,
    WIREGUARD_BACKEND,
    WIREGUARD_DEVICE,
    WIREGUARD_KEEPALIVE,
    WIREGUARD_OVERHEAD,
)
from reference_impl.planner.cable import Cables, NextHop
from reference_impl.planner.keyed import KeyedCables
from reference_impl.state import WireGuardLink, WireGuardPeer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from reference_impl.planner.cable import GatewayFacts
    from reference_impl.protocols.objects import Endpoint


@dataclass(frozen=True, slots=True)
class WireGuardCables(KeyedCables):
    """Cables of a gateway with this public key; "" on nodes that hold no cables."""

    backend: str = WIREGUARD_BACKEND
    port: int = CABLE_PORT
    device: str = WIREGUARD_DEVICE

    @property
    def overhead(self) -> Mapping[int, int]:
        """Bytes that a cable adds to a packet."""
        return WIREGUARD_OVERHEAD

    def excludes(self, peer: Endpoint) -> str:  # noqa: ARG002 - the protocol's signature
        """Every WireGuard peer has a key: an Endpoint without one is malformed, of whatever implementation."""
        return ""

    def at_port(self, port: int) -> Self:
        """Return these cables on another port."""
        return replace(self, port=port)

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan the device and a peer per cluster."""
        link = WireGuardLink(
            name=self.device,
            port=self.port,
            mtu=mtu - self.overhead[facts.underlay.version],
            public_key=self.own_identity,
        )
        return Cables(
            links=frozenset([link]),
            peers=frozenset(
                [
                    *(self._peer(peer, facts) for peer in facts.peers),
                    *(self._standby(each) for peer in facts.peers for each in peer.standbys),
                ]
            ),
            hops={peer.cluster_id: NextHop(device=self.device) for peer in facts.peers},
        )

    def _peer(self, peer: Endpoint, facts: GatewayFacts) -> WireGuardPeer:
        """Plan a peer. What is reached through it is its to send, and only its: one behind a relay may send nothing."""
        via = facts.relays.via
        behind = (other for other in facts.peers if via.get(other.cluster_id, other.cluster_id) == peer.cluster_id)
        return WireGuardPeer(
            device=self.device,
            public_key=self.identity(peer),
            allowed=frozenset(subnet for other in behind for subnet in other.subnets),
            endpoint=(peer.tunnel_address, peer.tunnel_port),
            keepalive=WIREGUARD_KEEPALIVE,
        )

    def _standby(self, gateway: Endpoint) -> WireGuardPeer:
        """Plan a gateway that stands by: its session is up, and it may send and be sent nothing yet."""
        return WireGuardPeer(
            device=self.device,
            public_key=self.identity(gateway),
            allowed=frozenset(),
            endpoint=(gateway.tunnel_address, gateway.tunnel_port),
            keepalive=WIREGUARD_KEEPALIVE,
        )
