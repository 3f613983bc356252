"""What the active gateway wants: a cable to every peer, and routes through it.

Cable drivers are plug-ins behind ``CableDriver``. A driver says what its tunnel needs in the kernel and, peer by
peer, which next hop leads into it; routes, filters and status are the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Protocol

from reference_impl.names import (
    CABLE_METRIC,
    STANDBY_METRIC,
    TRAFFIC_TABLE,
)
from reference_impl.planner.addresses import address_within, contains, next_hop, underlay_mtu
from reference_impl.planner.cable_rules import Carrier, Diversion, cable_ruleset
from reference_impl.planner.lanes import Sessions
from reference_impl.planner.node import DEFAULT_MTU
from reference_impl.planner.relays import Relays
from reference_impl.planner.ways import candidates
from reference_impl.state import (
    Door,
    ForwardingEntry,
    IPsecLink,
    KernelState,
    Meter,
    Meters,
    Neighbour,
    Route,
    RouteKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.protocols.objects import Cluster, Endpoint
    from reference_impl.state import AnyLink, InterfaceAddress, IPAddress, IPNetwork, IPsecPeer, WireGuardPeer


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """The way into a cable."""

    device: str
    via: IPAddress | None = None
    """Underlay address of the far end (``addresses.next_hop``). None: the device itself knows the peer by the
    packet's destination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cables:
    """What a cable driver needs in the kernel."""

    hops: Mapping[str, NextHop]
    """By cluster id."""
    links: frozenset[AnyLink] = frozenset()
    peers: frozenset[WireGuardPeer] = frozenset()
    ike_peers: frozenset[IPsecPeer] = frozenset()
    neighbours: frozenset[Neighbour] = frozenset()
    forwarding: frozenset[ForwardingEntry] = frozenset()
    diversions: frozenset[Diversion] = frozenset()


class CableDriver(Protocol):
    """One tunnel technology. Adding one: ``reference_impl.agents.cable_drivers``."""

    @property
    def backend(self) -> str:
        """``Endpoint.spec.backend`` of those it can talk to."""

    @property
    def port(self) -> int:
        """UDP port that cables arrive on."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices that cables come out of; those trusted with members' packets."""

    @property
    def overhead(self) -> Mapping[int, int]:
        """Bytes that a cable adds to a packet, by IP version of the underlay."""

    @property
    def authenticates(self) -> bool:
        """Whether the tunnel itself proves who sent a packet; otherwise outer addresses are filtered."""

    @property
    def stands_by(self) -> bool:
        """Whether a gateway that stands by can have its cables up beside the active one's."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """What peers must know besides port and addresses: entries of ``Endpoint.spec.backend_config``."""

    @property
    def own_identity(self) -> str:
        """``identity`` of our own Endpoint; "" where unknown."""

    def identity(self, peer: Endpoint) -> str:
        """Return by what the tunnel tells a peer from others (its key); "" where addresses do that."""

    def excludes(self, peer: Endpoint) -> str:
        """Say why a well-formed Endpoint of this backend is of a kind that this driver does not speak to; else ""."""

    def objection(self, peer: Endpoint) -> str:
        """Say what is wrong with an Endpoint of this backend, so that there can be no cable; else "". Never raises."""

    def at_port(self, port: int) -> Self:
        """Return the same driver with cables that arrive on another port; itself where that cannot be chosen."""

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan the cables to all peers. ``mtu`` is the underlay's. Pure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """Everything that the plan of the active gateway rests on."""

    own: Cluster
    underlay: IPAddress
    peers: tuple[Endpoint, ...]
    addresses: tuple[InterfaceAddress, ...]
    relays: Relays = field(default_factory=Relays)
    """Who is reached through whom, and whom this gateway relays."""
    stands_by: bool = False
    """Whether another gateway is the active one: all is made ready, and no packet prefers it."""
    siblings: tuple[IPAddress, ...] = ()
    """Underlay addresses of the cluster's other gateway nodes."""
    sessions: Sessions = field(default_factory=Sessions)
    """What WireGuard devices here know of their peers."""
    connections: frozenset[tuple[str, str]] = frozenset()
    """What the IKE daemon here has loaded: names of connections and the peers' public keys."""
    waits: bool = False
    """Whether this gateway takes over from one that still forwards, and its cables are not all up: no packet prefers
    them yet."""


def plan_cables(facts: GatewayFacts, drivers: DriverSet) -> KernelState:
    """Plan everything that a gateway's agent owns on its node; nothing while it has no peer.

    The plan of one that stands by differs from the active one's in the metric of its routes alone.
    """
    if facts.stands_by:
        facts = replace(facts, peers=tuple(peer for peer in facts.peers if drivers.stands_by(peer)))
    if not facts.peers:
        return KernelState()
    mtu = underlay_mtu(facts.addresses, facts.underlay) or DEFAULT_MTU
    cables = drivers.plan(facts, mtu)
    remote = tuple(subnet for peer in facts.peers for subnet in peer.subnets)
    carriers = [_carrier(driver, peers) for driver, peers in drivers.shares(facts.peers)]
    return KernelState(
        links=cables.links,
        peers=cables.peers,
        ike_peers=cables.ike_peers,
        neighbours=cables.neighbours,
        forwarding=cables.forwarding,
        routes=frozenset([*_routes(facts, cables.hops), *_exemptions(facts, remote)]),
        ruleset=cable_ruleset(
            underlay=facts.underlay,
            local=facts.own.prefixes,
            remote=remote,
            carriers=carriers,
            transit=tuple(_transit(facts)),
            siblings=facts.siblings,
            anchors={link.name: link.anchors for link in cables.links if isinstance(link, IPsecLink)},
            diversions=cables.diversions,
        ),
        meters=Meters(
            table=TRAFFIC_TABLE,
            devices=frozenset(device for carrier in carriers for device in carrier.devices),
            meters=frozenset(Meter(peer=peer.cluster_id, prefixes=frozenset(peer.subnets)) for peer in facts.peers),
            doors=frozenset(
                Door(port=carrier.port, peers=frozenset(carrier.peers))
                for carrier in carriers
                if not carrier.authenticates
            ),
        ),
    )


def carried(plan: KernelState, peers: Iterable[Endpoint], found: Iterable[AnyLink]) -> Mapping[str, int]:
    """Return, by cluster id, the largest packet in bytes that a peer's cable carries in one piece.

    ``found`` is what the kernel has: a device that is only planned carries nothing yet.
    """
    sizes = {link.name: link.mtu for link in found}
    devices = {route.destination: route.device for route in plan.routes if route.device}
    return {
        peer.cluster_id: min(fits)
        for peer in peers
        if (fits := [sizes[device] for subnet in peer.subnets if (device := devices.get(subnet, "")) in sizes])
    }


def _carrier(driver: CableDriver, peers: Iterable[Endpoint]) -> Carrier:
    listed = tuple(peers)
    return Carrier(
        devices=driver.devices,
        port=driver.port,
        authenticates=driver.authenticates,
        prefixes=tuple(subnet for peer in listed for subnet in peer.subnets),
        peers=tuple(gateway.tunnel_address for peer in listed for gateway in (peer, *peer.standbys)),
    )


def _transit(facts: GatewayFacts) -> Iterable[tuple[Sequence[IPNetwork], Sequence[IPNetwork]]]:
    """Return from which prefixes to which others this gateway forwards, for each pair that it relays, both ways."""
    subnets = {peer.cluster_id: peer.subnets for peer in facts.peers}
    for one, other in sorted(facts.relays.between):
        if one in subnets and other in subnets:
            yield subnets[one], subnets[other]
            yield subnets[other], subnets[one]


def _routes(facts: GatewayFacts, hops: Mapping[str, NextHop]) -> Iterable[Route]:
    for peer in facts.peers:
        hop = hops[peer.cluster_id]
        for subnet in peer.subnets:
            source = address_within(facts.addresses, facts.own.pod_cidrs, subnet.version)
            via = next_hop(hop.via, subnet.version) if hop.via is not None else None
            metric = STANDBY_METRIC if facts.stands_by or facts.waits else CABLE_METRIC
            yield Route(destination=subnet, metric=metric, device=hop.device, via=via, source=source)


def _exemptions(facts: GatewayFacts, remote: Sequence[IPNetwork]) -> Iterable[Route]:
    """Keep what is sent to a peer's outer addresses out of all tunnels (L3-D5).

    Every address that discovery asks counts: it must answer outside the tunnel or not at all.
    """
    outer = {gateway.tunnel_address for peer in facts.peers for gateway in (peer, *peer.standbys)}
    for peer in facts.peers:
        outer |= {each.address for each in candidates(facts.own.used, facts.underlay, facts.peers, peer)}
    for address in outer:
        if contains(remote, address):
            yield Route(destination=ip_network(address), metric=CABLE_METRIC, kind=RouteKind.THROW)
