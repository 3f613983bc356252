"""What the route agent wants on its node.

Every packet between clusters takes tunnels only: worker → gateway → peer's gateway → worker. The gateway hands
what comes out of the cable to the other nodes through the node tunnel as well, not over the plain LAN. So
networks that filter foreign sources and strict reverse path filters let it pass, no sysctl need be touched, and
a member's source that arrives from anywhere else is a forgery.

Rules select by destination *and* by source, into one table::

    to   <remote prefix> lookup 150     10.2.0.0/16 via <gateway>  dev vx-submariner   (worker)
                                        10.2.0.0/16 via <peer>     dev vxlan-tunnel    (gateway, by its own agent)
    from <remote prefix> lookup 150     10.1.1.0/24 via <worker>   dev vx-submariner   (gateway)

Traffic that does not involve a member never consults the table: local traffic is unchanged by construction
(L3-F7). The reverse lookup of a packet matches the twin rule, so strict rp_filter agrees too. The price is two
rules per remote prefix, matched one by one: fine for hundreds; thousands would want a mark set from an nft set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_impl.names import (
    CABLE_DEVICE,
    FLOOR_METRIC,
    NODE_DEVICE,
    NODE_METRIC,
    NODE_PORT,
    NODE_VNI,
    VXLAN_OVERHEAD,
)
from reference_impl.planner.addresses import (
    address_within,
    contains,
    host_addresses,
    next_hop,
    segment_mtu,
    tunnel_mac,
    underlay_mtu,
    vxlan_mtu,
)
from reference_impl.planner.node_rules import node_ruleset
from reference_impl.planner.passages import plan_passages
from reference_impl.protocols.gateway_settings import GatewaySettings
from reference_impl.state import (
    Direction,
    ForwardingEntry,
    HostAddress,
    KernelState,
    Link,
    Neighbour,
    Route,
    RouteKind,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reference_impl.protocols.objects import Cluster
    from reference_impl.state import Guard, InterfaceAddress, IPAddress, IPNetwork

DEFAULT_MTU = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the own cluster, from its Node object."""

    name: str
    underlay: IPAddress
    """InternalIP."""
    pod_ranges: tuple[IPNetwork, ...]
    """``spec.podCIDRs``."""
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    """What its operator says about it as a gateway."""
    is_gateway: bool = False
    """Whether it is meant to hold cables: labelled as a gateway node."""
    is_cordoned: bool = False
    """Whether its operator takes it out of service (``spec.unschedulable``)."""

    @property
    def may_lead(self) -> bool:
        """Say whether its gateway agent is wanted as the active one."""
        return self.is_gateway and not self.is_cordoned


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """Everything that the plan of one node rests on."""

    own: Cluster
    node: Node
    others: tuple[Node, ...]
    gateway: IPAddress | None
    """Underlay address of the own active gateway; None while there is none."""
    known: tuple[IPNetwork, ...]
    """Every prefix of a member (``Membership.known``)."""
    reachable: tuple[IPNetwork, ...]
    """Those of members that have an Endpoint."""
    addresses: tuple[InterfaceAddress, ...]
    """What the kernel has on this node."""
    departed: tuple[IPNetwork, ...] = ()
    """Those of members that have gone, to be rejected (``departures``)."""
    guards: tuple[Guard, ...] = ()
    """Firewalls of others on this node that would drop what we forward."""
    cable_devices: tuple[str, ...] = (CABLE_DEVICE,)
    """Devices of the cluster's cable drivers."""
    outer: tuple[IPAddress, ...] = ()
    """Underlay addresses of the other members' gateways."""
    cable_overhead: int = 0
    """What the cable adds to a packet, in bytes; the node tunnel's own counts if it is larger."""

    @property
    def sources(self) -> dict[int, IPAddress]:
        """Return under which address the node itself appears in other clusters, by IP version."""
        return host_addresses(self.addresses, self.own.pod_cidrs, self.node.pod_ranges)

    @property
    def is_active(self) -> bool:
        """Say whether this node holds the cables that count."""
        return self.gateway == self.node.underlay

    @property
    def is_gateway(self) -> bool:
        """Say whether this node holds cables: the active gateway's, or those of one that stands by."""
        return self.is_active or self.node.is_gateway


def plan_node(facts: NodeFacts) -> KernelState:
    """Plan everything that the route agent owns on its node.

    Nothing while there is no other member, and has been none: an installed but unconnected cluster is an unchanged one.
    """
    rejections = [Rule(direction=Direction.TO, prefix=prefix, rejects=True) for prefix in facts.departed]
    if not facts.known:
        return KernelState(rules=frozenset(rejections))
    outer = underlay_mtu(facts.addresses, facts.node.underlay) or DEFAULT_MTU
    # One MTU all the way: a sender is told at once, by its own node, what fits through the cable as well.
    overhead = max(VXLAN_OVERHEAD[facts.node.underlay.version], facts.cable_overhead)
    mtu = vxlan_mtu(outer, overhead, facts.own.versions, facts.node.underlay)
    hosts = _tunnel_hosts(facts)
    tunnels = (NODE_DEVICE, *facts.cable_devices) if facts.is_gateway else (NODE_DEVICE,)
    return KernelState(
        links=frozenset([_link(facts.node.underlay, mtu)]),
        host_addresses=frozenset(_missing_sources(facts)),
        neighbours=frozenset(_neighbours(facts, hosts)),
        forwarding=frozenset(
            ForwardingEntry(device=NODE_DEVICE, mac=tunnel_mac(host), destination=host, port=NODE_PORT)
            for host in hosts
        ),
        # What is sent to our own global range from inside has no way either: it must not leave by the default route.
        routes=frozenset(
            [
                *_floor((*facts.known, *facts.own.global_cidrs)),
                *(_to_nodes(facts) if facts.is_gateway else ()),
                *(() if facts.is_active else _to_gateway(facts)),
            ]
        ),
        rules=frozenset(
            [
                *(Rule(direction=way, prefix=prefix) for way in Direction for prefix in facts.known),
                *(Rule(direction=Direction.TO, prefix=prefix) for prefix in facts.own.global_cidrs),
                *rejections,
            ]
        ),
        ruleset=node_ruleset(
            local=facts.own.pod_cidrs,
            remote=facts.known,
            nodes=[facts.node.underlay, *(node.underlay for node in facts.others)],
            sources=facts.sources.values(),
            outer=[address for address in facts.outer if contains(facts.known, address)],
            segments=segment_mtu(mtu, overhead, facts.node.underlay),
            cables=facts.cable_devices,
        ),
        passages=plan_passages(facts.guards, tunnels, {prefix.version for prefix in facts.known}),
    )


def _link(underlay: IPAddress, mtu: int) -> Link:
    return Link(name=NODE_DEVICE, vni=NODE_VNI, port=NODE_PORT, local=underlay, mac=tunnel_mac(underlay), mtu=mtu)


def _tunnel_hosts(facts: NodeFacts) -> tuple[IPAddress, ...]:
    """Return whom this node exchanges tunnel packets with: gateway nodes with all, all others with gateway nodes.

    Those that stand by as well, so that nothing but a route changes when one of them takes over.
    """
    if facts.is_gateway:
        return tuple(node.underlay for node in facts.others)
    standing_by = (node.underlay for node in facts.others if node.is_gateway)
    active = (facts.gateway,) if facts.gateway is not None else ()
    return tuple(dict.fromkeys((*active, *standing_by)))


def _missing_sources(facts: NodeFacts) -> Iterable[HostAddress]:
    """Return those addresses of the node that only we give it."""
    others = [entry for entry in facts.addresses if entry.device != NODE_DEVICE]
    for version, address in facts.sources.items():
        if address_within(others, facts.own.pod_cidrs, version) is None:
            yield HostAddress(device=NODE_DEVICE, address=address)


def _neighbours(facts: NodeFacts, hosts: Iterable[IPAddress]) -> Iterable[Neighbour]:
    """Return the far end of every tunnel under each name that a route can have for it."""
    versions = {prefix.version for prefix in (*facts.known, *facts.own.pod_cidrs)}
    return (
        Neighbour(device=NODE_DEVICE, address=next_hop(host, version), mac=tunnel_mac(host))
        for host in hosts
        for version in versions
    )


def _floor(known: Iterable[IPNetwork]) -> Iterable[Route]:
    """Make a member's prefix without a way unreachable: it must not leak to the default route."""
    return (Route(destination=prefix, metric=FLOOR_METRIC, kind=RouteKind.UNREACHABLE) for prefix in known)


def _to_gateway(facts: NodeFacts) -> Sequence[Route]:
    if facts.gateway is None:
        return ()
    return [
        Route(
            destination=prefix,
            metric=NODE_METRIC,
            device=NODE_DEVICE,
            via=next_hop(facts.gateway, prefix.version),
            source=facts.sources.get(prefix.version),
        )
        for prefix in facts.reachable
    ]


def _to_nodes(facts: NodeFacts) -> Sequence[Route]:
    """From the cable to pods of other nodes. The own slice is not here: the main table has its bridge."""
    return [
        Route(
            destination=pod_range,
            metric=NODE_METRIC,
            device=NODE_DEVICE,
            via=next_hop(node.underlay, pod_range.version),
        )
        for node in facts.others
        for pod_range in node.pod_ranges
    ]
