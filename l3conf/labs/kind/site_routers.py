"""What a container does as a site's router, and which ways nodes, broker and outsider take: plans and scripts. Pure.

::

    node ── .1 lan [router east] wan .10 ══ WAN ══ .11 wan [router west] lan .1 ── node
                 └─ .3 wan [router north] lan .1 ── node        north shares east's public address

A router's interfaces are renamed to ``lan`` and ``wan``, so that the rulesets of the emulated lab's routers are
theirs as they are. It forgets docker's gateway: what it has no route to is unreachable, as it would be on the Internet.

Nodes have their site's router as default route, too: a packet that should have entered a tunnel ends there, and not at
some host beyond the engine that happens to have the address. So nothing here reaches the Internet: nodes pull no image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.sites import site_ruleset
from l3conf.model.addressing import FIRST_SHARER_OFFSET, OUTSIDER_OFFSET, ROUTER_OFFSET, host, site_router_offset
from l3conf.model.public_addresses import is_hidden, public_cluster, sharers
from l3conf.model.site import ETHERNET_MTU

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import ClusterSpec, IPAddress, IPNetwork, Topology

LAN_LINK, WAN_LINK = "lan", "wan"
_NO_WAY_OUT = ("ip -4 route del default 2>/dev/null || true", "ip -6 route del default 2>/dev/null || true")
"""Docker's gateway leads to the real network: where the topology has no way nobody is to answer."""
ROUTER_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.all.forwarding": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One route."""

    to: IPNetwork
    via: IPAddress
    mtu: int = ETHERNET_MTU
    """Octets of the smallest link that is known to follow."""

    def command(self) -> str:
        """Return the command that makes it, whether or not it is there."""
        # Without "lock": what is larger is answered with "fragmentation needed", as the router at a small link would.
        mtu = f" mtu {self.mtu}" if self.mtu < ETHERNET_MTU else ""
        return f"ip route replace {self.to} via {self.via}{mtu}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPlan:
    """A site's router."""

    site: str
    name: str
    uplink_network: str
    """The WAN, or the LAN of the site whose public address it shares."""
    lan_network: str
    uplinks: tuple[IPAddress, ...]
    """Its own addresses there, at most one a family; likewise below."""
    lans: tuple[IPAddress, ...]
    uplink_lengths: tuple[int, ...]
    """Prefix lengths, by the order of the addresses."""
    lan_lengths: tuple[int, ...]
    wan_mtu: int
    ways: tuple[Way, ...]
    narrow: tuple[tuple[IPAddress, int], ...]
    """Neighbours on the WAN whose access links are small, with their sizes."""
    ruleset: str


def router_plan(
    topology: Topology, cluster: ClusterSpec, names: Names, slices: Mapping[str, Sequence[IPNetwork]]
) -> RouterPlan:
    """Return the router of a cluster's site.

    ``topology`` has the nodes' numbers as docker gave them; ``slices``: of pod ranges by node, as their Node objects
    say.
    """
    owner = public_cluster(topology, cluster)
    behind = owner is not cluster
    uplink_cidrs = owner.node_cidrs if behind else topology.wan_cidrs
    return RouterPlan(
        site=cluster.name,
        name=names.router(cluster.name),
        uplink_network=names.cluster(owner.name) if behind else names.wan,
        lan_network=names.cluster(cluster.name),
        uplinks=uplinks_of(topology, cluster),
        lans=tuple(host(cidr, ROUTER_OFFSET) for cidr in cluster.node_cidrs),
        uplink_lengths=tuple(cidr.prefixlen for cidr in uplink_cidrs),
        lan_lengths=tuple(cidr.prefixlen for cidr in cluster.node_cidrs),
        wan_mtu=cluster.site.wan_mtu,
        ways=tuple(_router_ways(topology, cluster, slices)),
        narrow=() if behind else tuple(_narrow(topology, without=cluster)),
        ruleset=site_ruleset(topology, cluster),
    )


def uplinks_of(topology: Topology, cluster: ClusterSpec) -> tuple[IPAddress, ...]:
    """Return a site router's addresses towards the WAN."""
    owner = public_cluster(topology, cluster)
    if owner is cluster:
        return tuple(host(cidr, site_router_offset(topology, cluster)) for cidr in topology.wan_cidrs)
    offset = FIRST_SHARER_OFFSET + sharers(topology, owner).index(cluster)
    return tuple(host(cidr, offset) for cidr in owner.node_cidrs)


def setup_script(plan: RouterPlan) -> str:
    """Return what a router runs once it is on both networks; it may be run again. POSIX sh."""
    lines = [
        "set -eu",
        # Interfaces are known by their addresses: docker numbers them as it likes.
        "named() { have=$(ip -o address show to \"$1\" | awk '{ print $2; exit }'); have=${have%%@*}; }",
        "rename() {",
        '  named "$1"; [ "$have" = "$2" ] && return 0',
        '  [ -n "$have" ] || { echo "no interface has the address $1" >&2; exit 1; }',
        '  ip link set "$have" down; ip link set "$have" name "$2"; ip link set "$2" up',
        "}",
        f"rename {plan.uplinks[0]} {WAN_LINK}",
        f"rename {plan.lans[0]} {LAN_LINK}",
    ]
    for link, addresses, lengths in (
        (WAN_LINK, plan.uplinks, plan.uplink_lengths),
        (LAN_LINK, plan.lans, plan.lan_lengths),
    ):
        # A link that goes down loses its IPv6 addresses.
        lines += [
            f"ip address replace {address}/{length} dev {link}{' nodad' if address.version == 6 else ''}"  # noqa: PLR2004
            for address, length in zip(addresses, lengths, strict=True)
        ]
    lines += [f"ip link set {WAN_LINK} mtu {plan.wan_mtu}"] if plan.wan_mtu < ETHERNET_MTU else []
    lines += _NO_WAY_OUT
    lines += [
        f"ip route replace {address}/{address.max_prefixlen} dev {WAN_LINK} mtu {mtu}" for address, mtu in plan.narrow
    ]
    return "\n".join([*lines, *(way.command() for way in plan.ways), ""])


def node_script(cluster: ClusterSpec) -> str:
    """Return what a node runs so that its site's router is the way to everything. POSIX sh."""
    return "\n".join(
        [
            "set -eu",
            *_NO_WAY_OUT,
            *(f"ip route replace default via {host(cidr, ROUTER_OFFSET)}" for cidr in cluster.node_cidrs),
            "",
        ]
    )


def wan_host_script(topology: Topology, *, to_pods: bool) -> str:
    """Return what the broker's node or, with ``to_pods``, the outsider runs to find the sites. POSIX sh."""
    ways = [*_ways_to_lans(topology), *(_ways_to_pods(topology) if to_pods else ())]
    return "\n".join(["set -eu", *_NO_WAY_OUT, *(way.command() for way in ways), *_neighbours(topology), ""])


def outsider_addresses(topology: Topology) -> tuple[IPAddress, ...]:
    """Return the outsider's addresses on the WAN."""
    return tuple(host(cidr, OUTSIDER_OFFSET) for cidr in topology.wan_cidrs)


def _router_ways(topology: Topology, cluster: ClusterSpec, slices: Mapping[str, Sequence[IPNetwork]]) -> Iterator[Way]:
    owner = public_cluster(topology, cluster)
    if owner is cluster:
        yield from _ways_to_lans(topology, without=cluster)
        for sharer in sharers(topology, cluster):
            yield from _by_family(sharer.node_cidrs, uplinks_of(topology, sharer))
    else:
        first = [host(cidr, ROUTER_OFFSET) for cidr in owner.node_cidrs]
        everything = (*topology.wan_cidrs, *(cidr for each in topology.clusters for cidr in each.node_cidrs))
        near = (*cluster.node_cidrs, *owner.node_cidrs)
        yield from _by_family([cidr for cidr in everything if cidr not in near], first)
    numbered = {node.name: number for number, node in cluster.numbered_nodes}
    for node, cidrs in slices.items():
        yield from _by_family(cidrs, [host(lan, 10 + numbered[node]) for lan in cluster.node_cidrs])


def _ways_to_lans(topology: Topology, *, without: ClusterSpec | None = None) -> Iterator[Way]:
    """Yield the ways of whoever is on the WAN; to LANs behind NAT there is none for IPv4."""
    for other in topology.clusters:
        if other is without or (without is not None and public_cluster(topology, other) is without):
            continue
        owner = public_cluster(topology, other)
        hidden = is_hidden(topology, other)
        lans = [cidr for cidr in other.node_cidrs if not (hidden and cidr.version == 4)]  # noqa: PLR2004
        yield from _by_family(lans, uplinks_of(topology, owner), owner.site.wan_mtu)


def _ways_to_pods(topology: Topology) -> Iterator[Way]:
    """Yield the ways to pod ranges; of clusters with the same range the first of the file is meant."""
    seen: set[IPNetwork] = set()
    for cluster in topology.clusters:
        owner = public_cluster(topology, cluster)
        fresh = [cidr for cidr in cluster.pod_cidrs if cidr not in seen]
        seen.update(fresh)
        yield from _by_family(fresh, uplinks_of(topology, owner), owner.site.wan_mtu)


def _neighbours(topology: Topology) -> Iterator[str]:
    """Yield the ways to routers whose access link is small."""
    for address, mtu in _narrow(topology):
        get = f"ip -o route get {address} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'"
        yield f"ip route replace {address}/{address.max_prefixlen} dev $({get}) mtu {mtu}"


def _narrow(topology: Topology, *, without: ClusterSpec | None = None) -> Iterator[tuple[IPAddress, int]]:
    for cluster in topology.clusters:
        if cluster is not without and cluster.site.wan_mtu < ETHERNET_MTU and not cluster.site.public_address_of:
            for address in uplinks_of(topology, cluster):
                yield address, cluster.site.wan_mtu


def _by_family(cidrs: Iterable[IPNetwork], routers: Sequence[IPAddress], mtu: int = ETHERNET_MTU) -> Iterator[Way]:
    for cidr in cidrs:
        for router in routers:
            if router.version == cidr.version:
                yield Way(to=cidr, via=router, mtu=mtu)
