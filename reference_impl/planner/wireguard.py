"""WireGuard between gateways: encrypted, and each peer may send only from what it announced.

One peer a gateway, told apart by public key alone, on one of two devices (``reference_impl.planner.lanes``). Cryptokey
routing does what is asked of a secure cable: a packet whose inner source is not among the sender's allowed prefixes is
dropped (L3-B7), an outer source may change at any time, and without a session nothing leaves at all (L3-B13).
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
    WIREGUARD_SECOND_DEVICE,
    WIREGUARD_SECOND_PORT,
)
from reference_impl.planner.addresses import inner_mtu
from reference_impl.planner.cable import Cables, NextHop
from reference_impl.planner.cable_rules import Diversion
from reference_impl.planner.keyed import KeyedCables
from reference_impl.planner.lanes import outer, plan_lanes
from reference_impl.state import WireGuardLink, WireGuardPeer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from reference_impl.planner.cable import GatewayFacts
    from reference_impl.planner.lanes import Lane
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

    @property
    def devices(self) -> tuple[str, ...]:
        """Return both devices."""
        return self.device, WIREGUARD_SECOND_DEVICE

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan a peer per gateway, and the devices that have peers."""
        lanes = plan_lanes(facts.peers, (self.device, WIREGUARD_SECOND_DEVICE), facts.sessions, self.identity)
        every = [lane for each in lanes.values() for lane in each]
        used = {self.device, *(lane.device for lane in every)}
        via = facts.relays.via
        room = inner_mtu(mtu, self.overhead[facts.underlay.version], facts.own.versions)
        return Cables(
            links=frozenset(self._link(device, room) for device in used),
            peers=frozenset(self._peer(cluster_id, lane, facts) for cluster_id, each in lanes.items() for lane in each),
            hops={name: NextHop(device=lanes[via.get(name, name)][0].device) for name in lanes},
            diversions=frozenset(
                Diversion(own=facts.underlay, port=self.port, peer=address, to=WIREGUARD_SECOND_PORT)
                for lane in every
                if lane.device != self.device
                for address in outer(lane.gateway)
                if address.version == facts.underlay.version
            ),
        )

    def _link(self, device: str, mtu: int) -> WireGuardLink:
        port = self.port if device == self.device else WIREGUARD_SECOND_PORT
        return WireGuardLink(name=device, port=port, mtu=mtu, public_key=self.own_identity)

    def _peer(self, cluster_id: str, lane: Lane, facts: GatewayFacts) -> WireGuardPeer:
        """Plan a peer. What is reached through it is its to send, and only its: one behind a relay may send nothing."""
        via = facts.relays.via
        behind = (other for other in facts.peers if via.get(other.cluster_id, other.cluster_id) == cluster_id)
        return WireGuardPeer(
            device=lane.device,
            public_key=self.identity(lane.gateway),
            allowed=frozenset(subnet for other in behind if lane.trusted for subnet in other.subnets),
            endpoint=(lane.gateway.tunnel_address, lane.gateway.tunnel_port),
            keepalive=WIREGUARD_KEEPALIVE,
        )
