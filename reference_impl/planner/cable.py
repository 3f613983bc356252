"""What the active gateway wants: a cable to every peer, and routes through it.

Cable drivers are plug-ins behind ``CableDriver``. A driver says what its tunnel needs in the kernel and, peer by
peer, which next hop leads into it; routes, filters and status are the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Protocol

from reference_impl.names import (
    CABLE_DEVICE,
    CABLE_METRIC,
    CABLE_PORT,
    CABLE_VNI,
    VXLAN_BACKEND,
    VXLAN_OVERHEAD,
)
from reference_impl.planner.addresses import address_within, contains, tunnel_mac, underlay_mtu
from reference_impl.planner.node import DEFAULT_MTU
from reference_impl.planner.rulesets import cable_ruleset
from reference_impl.state import ForwardingEntry, KernelState, Link, Neighbour, Route, RouteKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.protocols.objects import Cluster, Endpoint
    from reference_impl.state import InterfaceAddress, IPAddress, IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """The way into a cable."""

    device: str
    via: IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Cables:
    """What a cable driver needs in the kernel."""

    links: frozenset[Link]
    neighbours: frozenset[Neighbour]
    forwarding: frozenset[ForwardingEntry]
    hops: Mapping[str, NextHop]
    """By cluster id."""


class CableDriver(Protocol):
    """One tunnel technology."""

    @property
    def backend(self) -> str:
        """``Endpoint.spec.backend`` of those it can talk to."""

    @property
    def port(self) -> int:
        """UDP port that cables arrive on."""

    def plan(self, underlay: IPAddress, mtu: int, peers: Sequence[Endpoint]) -> Cables:
        """Plan the cables to all peers. ``mtu`` is the underlay's. Pure."""


@dataclass(frozen=True, slots=True)
class VXLANCables:
    """VXLAN between gateways: no encryption, works on every kernel. One device, one forwarding entry a peer."""

    backend: str = VXLAN_BACKEND
    port: int = CABLE_PORT

    def plan(self, underlay: IPAddress, mtu: int, peers: Sequence[Endpoint]) -> Cables:
        """Plan the device and a neighbour and forwarding entry per peer."""
        link = Link(
            name=CABLE_DEVICE,
            vni=CABLE_VNI,
            port=self.port,
            local=underlay,
            mac=tunnel_mac(underlay),
            mtu=mtu - VXLAN_OVERHEAD[underlay.version],
        )
        return Cables(
            links=frozenset([link]),
            # The hardware address comes from the private address, which the peer itself derives its own from;
            # the outer destination may be another one (NAT).
            neighbours=frozenset(
                Neighbour(device=CABLE_DEVICE, address=peer.private_ip, mac=tunnel_mac(peer.private_ip))
                for peer in peers
            ),
            forwarding=frozenset(
                ForwardingEntry(
                    device=CABLE_DEVICE,
                    mac=tunnel_mac(peer.private_ip),
                    destination=peer.tunnel_address,
                    port=peer.port,
                )
                for peer in peers
            ),
            hops={peer.cluster_id: NextHop(device=CABLE_DEVICE, via=peer.private_ip) for peer in peers},
        )


CABLE_DRIVERS: Mapping[str, CableDriver] = {VXLAN_BACKEND: VXLANCables()}
"""By ``Endpoint.spec.backend``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """Everything that the plan of the active gateway rests on."""

    own: Cluster
    underlay: IPAddress
    peers: tuple[Endpoint, ...]
    addresses: tuple[InterfaceAddress, ...]


def plan_cables(facts: GatewayFacts, driver: CableDriver) -> KernelState:
    """Plan everything that the active gateway's agent owns on its node; nothing while it has no peer."""
    if not facts.peers:
        return KernelState()
    mtu = underlay_mtu(facts.addresses, facts.underlay) or DEFAULT_MTU
    cables = driver.plan(facts.underlay, mtu, facts.peers)
    remote = tuple(subnet for peer in facts.peers for subnet in peer.subnets)
    return KernelState(
        links=cables.links,
        neighbours=cables.neighbours,
        forwarding=cables.forwarding,
        routes=frozenset([*_routes(facts, cables.hops), *_exemptions(facts.peers, remote)]),
        ruleset=cable_ruleset(
            local=facts.own.prefixes,
            remote=remote,
            peers=[peer.tunnel_address for peer in facts.peers],
            port=driver.port,
        ),
    )


def _routes(facts: GatewayFacts, hops: Mapping[str, NextHop]) -> Iterable[Route]:
    for peer in facts.peers:
        hop = hops[peer.cluster_id]
        for subnet in peer.subnets:
            source = address_within(facts.addresses, facts.own.pod_cidrs, subnet.version)
            yield Route(destination=subnet, metric=CABLE_METRIC, device=hop.device, via=hop.via, source=source)


def _exemptions(peers: Iterable[Endpoint], remote: Sequence[IPNetwork]) -> Iterable[Route]:
    """Keep a peer whose outer address lies in a remote prefix out of its own tunnel (L3-D5)."""
    for address in {peer.tunnel_address for peer in peers}:
        if contains(remote, address):
            yield Route(destination=ip_network(address), metric=CABLE_METRIC, kind=RouteKind.THROW)
