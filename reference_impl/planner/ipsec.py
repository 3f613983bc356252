"""IPsec between gateways: IKEv2, ESP in UDP, a child SA for each pair of prefixes as other implementations have it.

Peers are told apart by public key. The secret of a pair is agreed on by X25519 from the keys that both published, so
nobody else has it, broker and other members included (docs/adr/0010). A packet whose inner source does not belong to
the SA that it came by is dropped by IPsec itself (RFC 4301, 5.2), and one for a pair without SA goes nowhere: the
routes lead into a device that knows no other way out than ESP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.names import (
    CABLE_PORT,
    IPSEC_BACKEND,
    IPSEC_DEVICE,
    IPSEC_LARGEST,
    IPSEC_OVERHEAD,
    PUBLIC_KEY,
)
from reference_impl.planner.addresses import inner_mtu
from reference_impl.planner.cable import Cables, NextHop
from reference_impl.planner.keyed import KeyedCables
from reference_impl.protocols.connection_names import cluster_of, plan_names
from reference_impl.state import IPsecLink, IPsecPeer, SubTunnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from reference_impl.planner.cable import GatewayFacts
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, Pair


@dataclass(frozen=True, slots=True)
class IPsecCables(KeyedCables):
    """Cables of a gateway with this public key; "" on nodes that hold no cables."""

    backend: str = IPSEC_BACKEND
    port: int = CABLE_PORT
    device: str = IPSEC_DEVICE

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the one device."""
        return (self.device,)

    @property
    def overhead(self) -> Mapping[int, int]:
        """Bytes that a cable adds to a packet."""
        return IPSEC_OVERHEAD

    def excludes(self, peer: Endpoint) -> str:
        """Say so of an Endpoint without a key.

        It is not malformed: implementations with one pre-shared key for all publish none. They are not spoken to, for
        with such a secret every member could pass for every other one (docs/adr/0010).
        """
        return "" if self.identity(peer) else f"it publishes no {PUBLIC_KEY}, and one secret for all is not used here"

    def at_port(self, port: int) -> Self:  # noqa: ARG002 - the protocol's signature
        """Return these cables as they are: IKE's port for NAT traversal is the daemon's."""
        return self

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan the device and a connection per cluster."""
        link = IPsecLink(
            name=self.device,
            mtu=min(inner_mtu(mtu, self.overhead[facts.underlay.version], facts.own.versions), IPSEC_LARGEST),
            # The network's own address: no pod or service ever has it.
            anchors=frozenset(prefix.network_address for prefix in facts.own.prefixes),
        )
        return Cables(
            links=frozenset([link]),
            ike_peers=frozenset(each for peer in facts.peers for each in self._gateways(peer, facts)),
            hops={peer.cluster_id: NextHop(device=self.device) for peer in facts.peers},
        )

    def _gateways(self, peer: Endpoint, facts: GatewayFacts) -> Iterable[IPsecPeer]:
        """Plan a member's active gateway, and those that may follow it: these call when they do, and no sooner."""
        gateways = (peer, *peer.standbys)
        names = plan_names(peer.cluster_id, [self.identity(each) for each in gateways], facts.connections)
        for each in gateways:
            stands_by = facts.stands_by or each is not peer
            yield self._peer(each, names[self.identity(each)], facts, stands_by=stands_by)

    def _peer(self, peer: Endpoint, name: str, facts: GatewayFacts, *, stands_by: bool) -> IPsecPeer:
        return IPsecPeer(
            device=self.device,
            name=name,
            stands_by=stands_by,
            own_key=self.own_identity,
            public_key=self.identity(peer),
            local=facts.underlay,
            remote=(peer.tunnel_address, peer.tunnel_port),
            pairs=frozenset(
                (own, other) for own in facts.own.prefixes for other in peer.subnets if own.version == other.version
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An echo request that goes through one sub-tunnel there, and back through the same pair."""

    sub_tunnel: SubTunnel
    source: IPAddress
    destination: IPAddress


def questions(
    ike_peers: Iterable[IPsecPeer], endpoints: Iterable[Endpoint], own: Mapping[int, IPAddress]
) -> frozenset[Question]:
    """Return what to ask through each sub-tunnel that no health check goes through.

    An installed SA says nothing of packets (submariner#2914). Gateways of this implementation have an address in each
    of their prefixes; others do not answer there, and nothing follows from what never answered. ``own`` holds this
    node's address among pods, by IP version: from there health checks ask.
    """
    offered = {endpoint.cluster_id: endpoint for endpoint in endpoints}
    found = set()
    for peer in ike_peers:
        cluster_id = cluster_of(peer.name)
        for mine, theirs in () if peer.stands_by else peer.pairs:
            here, there = own.get(mine.version), offered[cluster_id].health_check(mine.version)
            source = here if here is not None and here in mine else mine.network_address
            destination = there if there is not None and there in theirs else theirs.network_address
            if (source, destination) != (here, there):
                sub_tunnel = SubTunnel(peer=cluster_id, pair=(mine, theirs))
                found.add(Question(sub_tunnel=sub_tunnel, source=source, destination=destination))
    return frozenset(found)


def lacking(peers: Iterable[IPsecPeer], up: frozenset[SubTunnel]) -> Mapping[tuple[str, int], str]:
    """Say which sub-tunnels are down, by cluster id and IP version; nothing of those that are whole."""
    return {
        (name, version): f"no packets between {' nor between '.join(f'{own} and {other}' for own, other in mine)}"
        for name, pairs in sub_tunnels_down(peers, up).items()
        for version in (4, 6)
        if (mine := [pair for pair in pairs if pair[0].version == version])
    }


def sub_tunnels_down(peers: Iterable[IPsecPeer], up: frozenset[SubTunnel]) -> Mapping[str, tuple[Pair, ...]]:
    """Return the sub-tunnels that should be up and are not, by cluster id: the worst one counts for the cable."""
    return {
        cluster_of(peer.name): tuple(sorted(missing, key=str))
        for peer in peers
        if not peer.stands_by
        and (missing := {pair for pair in peer.pairs if SubTunnel(peer=cluster_of(peer.name), pair=pair) not in up})
    }
