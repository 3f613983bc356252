"""VXLAN between gateways: clear text, on every kernel, and nothing to agree on but addresses and a port."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_DEVICE, CABLE_PORT, CABLE_VNI, VXLAN_BACKEND, VXLAN_OVERHEAD
from reference_impl.planner.addresses import next_hop, tunnel_mac, vxlan_mtu
from reference_impl.planner.cable import Cables, NextHop
from reference_impl.state import ForwardingEntry, Link, Neighbour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from reference_impl.planner.cable import GatewayFacts
    from reference_impl.protocols.objects import Endpoint


@dataclass(frozen=True, slots=True)
class VXLANCables:
    """VXLAN between gateways: no encryption, works on every kernel. One device, one forwarding entry a peer."""

    backend: str = VXLAN_BACKEND
    port: int = CABLE_PORT
    device: str = CABLE_DEVICE
    authenticates: bool = False
    own_identity: str = ""
    stands_by: bool = True

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the one device."""
        return (self.device,)

    @property
    def overhead(self) -> Mapping[int, int]:
        """Bytes that a cable adds to a packet."""
        return VXLAN_OVERHEAD

    @property
    def parameters(self) -> Mapping[str, str]:
        """Nothing: port and addresses are all there is to know."""
        return {}

    def identity(self, peer: Endpoint) -> str:
        """Peers are told apart by the hardware address that follows from their private one."""
        return str(peer.private_ip)

    def excludes(self, peer: Endpoint) -> str:  # noqa: ARG002 - the protocol's signature
        """Addresses are all that is needed, and every Endpoint has them."""
        return ""

    def objection(self, peer: Endpoint) -> str:  # noqa: ARG002 - likewise
        """Any Endpoint will do."""
        return ""

    def at_port(self, port: int) -> Self:
        """Return these cables on another port."""
        return replace(self, port=port)

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan the device and a neighbour and forwarding entry per peer."""
        link = Link(
            name=CABLE_DEVICE,
            vni=CABLE_VNI,
            port=self.port,
            local=facts.underlay,
            mac=tunnel_mac(facts.underlay),
            mtu=vxlan_mtu(mtu, VXLAN_OVERHEAD[facts.underlay.version], facts.own.versions, facts.underlay),
        )
        return Cables(
            links=frozenset([link]),
            # The hardware address comes from the private address, which the peer itself derives its own from;
            # the outer destination may be another one (NAT).
            neighbours=frozenset(
                Neighbour(
                    device=CABLE_DEVICE, address=next_hop(peer.private_ip, version), mac=tunnel_mac(peer.private_ip)
                )
                for peer in _gateways(facts)
                for version in peer.versions
            ),
            forwarding=frozenset(
                ForwardingEntry(
                    device=CABLE_DEVICE,
                    mac=tunnel_mac(peer.private_ip),
                    destination=peer.tunnel_address,
                    port=peer.tunnel_port,
                )
                for peer in _gateways(facts)
            ),
            hops={peer.cluster_id: NextHop(device=CABLE_DEVICE, via=peer.private_ip) for peer in facts.peers},
        )


def _gateways(facts: GatewayFacts) -> tuple[Endpoint, ...]:
    """Return the peers' gateways, with those that stand by: an entry that no route names moves no packet."""
    return tuple(gateway for peer in facts.peers for gateway in (peer, *peer.standbys))
