"""The nftables rules of both agents.

Each table looks at a packet that arrives in one base chain, and asks first what few packets answer with yes: entering a
chain and looking into a set of prefixes are what costs, at every packet of every node (``l3conf bench cables``).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_TABLE, NODE_DEVICE, NODE_PORT, NODE_TABLE
from reference_impl.state import AddressSet, Chain, Ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.state import IPAddress, IPNetwork

_FAMILY = {4: "ip", 6: "ip6"}
_PROTOCOL = {4: "ipv4", 6: "ipv6"}
_IP_AND_TCP_HEADERS = {4: 40, 6: 60}
BEFORE_SOURCE_NAT = "srcnat - 10"
"""Priority of our source chain: a flow whose source NAT is settled here is out of reach for every later
masquerade, be it the network plugin's or kube-proxy's (both at srcnat)."""


FIRST_SOURCE_NAT = "srcnat - 20"
"""Of what must be settled before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One cable driver's side of the active gateway's filters."""

    device: str
    port: int
    authenticates: bool
    """If it does, packets may come from any address: a peer behind NAT has none of its own."""
    prefixes: tuple[IPNetwork, ...]
    """What its peers may send from."""
    peers: tuple[IPAddress, ...]
    """Their outer addresses."""


def node_ruleset(
    *,
    local: Sequence[IPNetwork],
    remote: Sequence[IPNetwork],
    nodes: Iterable[IPAddress],
    sources: Iterable[IPAddress],
    outer: Sequence[IPAddress] = (),
    mtu: int,
    cables: Sequence[str],
) -> Ruleset:
    """Plan the rules of every node.

    ``local`` holds the own pod CIDRs, ``remote`` all prefixes of members, ``nodes`` the underlay addresses of
    the own cluster, ``sources`` the node's own address in its pod CIDRs, one per IP version at most, ``outer`` the
    addresses of members' gateways that lie in members' prefixes, ``mtu`` the least on the way, ``cables`` the devices
    of this cluster's cable drivers: what comes out of any other one is not believed.
    """
    versions = _versions(local, remote)
    hosts = tuple(nodes)
    tunnels = "{ " + ", ".join(f'"{device}"' for device in (NODE_DEVICE, *cables)) + " }"
    return Ruleset(
        table=NODE_TABLE,
        sets=(
            *_sets("local", local, versions),
            *_sets("remote", remote, versions),
            *_host_sets("nodes", hosts),
            *_host_sets("outer", outer),
        ),
        chains=(
            Chain(name="underlay", rules=_only_from("nodes", hosts)),
            Chain(name="clamp", rules=_clamp(versions, mtu)),
            Chain(name="spoofed", rules=(*_between_gateways(hosts, outer), "counter drop")),
            # Before conntrack, so that what is dropped costs no entry.
            Chain(
                name="arriving",
                hook="prerouting",
                priority="raw",
                rules=(
                    f"udp dport {NODE_PORT} jump underlay",
                    "tcp flags & (syn | rst) == syn jump clamp",
                    *_spoofed(versions, tunnels),
                ),
            ),
            Chain(
                name="source",
                kind="nat",
                hook="postrouting",
                priority=BEFORE_SOURCE_NAT,
                rules=_source(versions, sources, tunnels),
            ),
        ),
    )


def cable_ruleset(
    *,
    local: Sequence[IPNetwork],
    remote: Sequence[IPNetwork],
    carriers: Sequence[Carrier],
    transit: Sequence[tuple[Sequence[IPNetwork], Sequence[IPNetwork]]] = (),
    anchors: Mapping[str, frozenset[IPAddress]],
) -> Ruleset:
    """Plan the further rules of the active gateway.

    ``local`` holds every own prefix a peer may address (services too), ``remote`` those of all peers. What comes out of
    one driver's device may only be from that driver's peers: a weaker cable is no way to pose as somebody behind a
    stronger one. ``anchors`` holds, by device, addresses of this node that keep their own when they send: each
    sub-tunnel is asked from one of them. ``transit`` holds the prefixes from and to which this gateway relays between
    members.
    """
    versions = _versions(local, remote)
    named = {"remote": tuple(remote)}
    owners = ["remote"]
    if len(carriers) > 1:
        owners = [f"remote{index}" for index in range(len(carriers))]
        named |= {owner: carrier.prefixes for owner, carrier in zip(owners, carriers, strict=True)}
    open_ones = {
        "peers" if len(carriers) == 1 else f"peers{index}": carrier
        for index, carrier in enumerate(carriers)
        if not carrier.authenticates
    }
    # Only what is for us and from a member leaves the cable: no transit, and no member's packets from a node of our
    # own, whose only way for them is the cable.
    arriving = {NODE_DEVICE: tuple(f"{_FAMILY[version]} saddr @remote_v{version} counter drop" for version in versions)}
    for owner, carrier in zip(owners, carriers, strict=True):
        arriving[carrier.device] = (
            *_transit(carrier, transit),
            *(rule for version in versions for rule in _from_peers(owner, version, carrier.prefixes)),
        )
    doors = {f"from-{device}": device for device in arriving}
    return Ruleset(
        table=CABLE_TABLE,
        sets=(
            *_sets("local", local, versions),
            *(item for name, prefixes in named.items() for item in _sets(name, prefixes, versions)),
            *(item for name, carrier in open_ones.items() for item in _host_sets(name, carrier.peers)),
        ),
        chains=(
            *(Chain(name=name, rules=arriving[device]) for name, device in doors.items()),
            Chain(
                name="arriving",
                hook="prerouting",
                priority="raw",
                rules=(_vmap("iifname", {f'"{device}"': name for name, device in doors.items()}),),
            ),
            *_underlay(open_ones),
            *_keeping_sources(anchors),
        ),
    )


def _keeping_sources(anchors: Mapping[str, frozenset[IPAddress]]) -> Iterable[Chain]:
    """Settle the source of what this node sends from an anchor, before every node's chain takes it for the node's."""
    rules = tuple(
        f'oifname "{device}" {_FAMILY[version]} saddr {{ {", ".join(sorted(map(str, mine)))} }} '
        f"snat {_FAMILY[version]} to {_FAMILY[version]} saddr"
        for device, addresses in sorted(anchors.items())
        for version in sorted(_FAMILY)
        if (mine := [address for address in addresses if address.version == version])
    )
    if rules:
        yield Chain(name="anchors", kind="nat", hook="postrouting", priority=FIRST_SOURCE_NAT, rules=rules)


def _underlay(carriers: Mapping[str, Carrier]) -> Iterable[Chain]:
    """Take outer packets from peers only, where the cable itself does not tell who sent them."""
    ports = {str(carrier.port): f"to-{carrier.port}" for carrier in carriers.values()}
    if not ports:
        return
    for name, carrier in carriers.items():
        yield Chain(name=ports[str(carrier.port)], rules=_only_from(name, carrier.peers))
    yield Chain(name="underlay", hook="input", rules=(_vmap("udp dport", ports),))


def _vmap(key: str, chains: Mapping[str, str]) -> str:
    """Go to the chain that a packet's property names, by one look-up however many there are."""
    return f"{key} vmap {{ {', '.join(f'{value} : goto {chain}' for value, chain in chains.items())} }}"


def _from_peers(owner: str, version: int, prefixes: Iterable[IPNetwork]) -> tuple[str, ...]:
    """Drop what comes out of a device and is from none of its peers, or not for us."""
    if any(prefix.version == version for prefix in prefixes):
        return (
            f"{_FAMILY[version]} saddr != @{owner}_v{version} counter drop",
            f"{_FAMILY[version]} daddr != @local_v{version} counter drop",
        )
    return (f"meta nfproto {_PROTOCOL[version]} counter drop",)


def _transit(carrier: Carrier, ways: Sequence[tuple[Sequence[IPNetwork], Sequence[IPNetwork]]]) -> Iterable[str]:
    """Let pass what is relayed: out of the sender's own cable, between the prefixes of one pair."""
    for sources, destinations in ways:
        if not {*sources} <= {*carrier.prefixes}:
            continue
        for version in sorted({*_versions(sources)} & {*_versions(destinations)}):
            ip = _FAMILY[version]
            here, there = (
                ", ".join(str(prefix) for prefix in sorted(group, key=str) if prefix.version == version)
                for group in (sources, destinations)
            )
            yield f"{ip} saddr {{ {here} }} {ip} daddr {{ {there} }} counter accept"


def _between_gateways(nodes: Iterable[IPAddress], outer: Iterable[IPAddress]) -> tuple[str, ...]:
    """Let tunnel packets in from gateways whose addresses members' prefixes hold (L3-D5): to nodes, no further."""
    shared = {address.version for address in nodes} & {address.version for address in outer}
    return tuple(
        f"{_FAMILY[version]} saddr @outer_v{version} {_FAMILY[version]} daddr @nodes_v{version} counter accept"
        for version in sorted(shared)
    )


def _spoofed(versions: Iterable[int], tunnels: str) -> tuple[str, ...]:
    """Believe a member's source only out of a tunnel (L3-B8)."""
    return tuple(
        f"{_FAMILY[version]} saddr @remote_v{version} iifname != {tunnels} goto spoofed" for version in versions
    )


def _only_from(name: str, hosts: Iterable[IPAddress]) -> tuple[str, ...]:
    """Take outer packets from known hosts only; a family without hosts is closed altogether.

    What another host is to get is none of our business: only what is for this one, its broadcasts included.
    """
    present = {host.version for host in hosts}
    return tuple(
        f"{_FAMILY[version]} saddr != @{name}_v{version} fib daddr type != unicast counter drop"
        if version in present
        else f"meta nfproto {_PROTOCOL[version]} fib daddr type != unicast counter drop"
        for version in (4, 6)
    )


def _clamp(versions: Iterable[int], mtu: int) -> tuple[str, ...]:
    """Clamp both directions: each end learns from the other's SYN what fits. The kernel never raises the option.

    What this node sends itself knows the MTU from its route.
    """
    return tuple(
        f"{_FAMILY[version]} {end} @remote_v{version} tcp option maxseg size set {mtu - _IP_AND_TCP_HEADERS[version]}"
        for version in versions
        for end in ("saddr", "daddr")
    )


def _source(versions: Iterable[int], sources: Iterable[IPAddress], tunnels: str) -> tuple[str, ...]:
    """Settle the source of every flow between clusters.

    Pods keep theirs; any other address of the node becomes the one that members can route back to.
    """
    rules: list[str] = []
    own = {source.version: source for source in sources}
    for version in versions:
        ip, local, remote = _FAMILY[version], f"@local_v{version}", f"@remote_v{version}"
        rules.append(f"{ip} saddr {local} {ip} daddr {remote} snat {ip} to {ip} saddr")
        rules.append(f"{ip} saddr {remote} {ip} daddr {local} snat {ip} to {ip} saddr")
        # Relayed: neither end is ours to rename.
        rules.append(f"{ip} saddr {remote} {ip} daddr {remote} snat {ip} to {ip} saddr")
        if version in own:
            rules.append(f"oifname {tunnels} {ip} daddr {remote} snat {ip} to {own[version]}")
    return tuple(rules)


def _versions(*groups: Iterable[IPNetwork]) -> tuple[int, ...]:
    return tuple(sorted({prefix.version for group in groups for prefix in group}))


def _sets(name: str, prefixes: Iterable[IPNetwork], versions: Iterable[int]) -> tuple[AddressSet, ...]:
    listed = list(prefixes)
    return tuple(
        AddressSet(
            name=f"{name}_v{version}",
            version=version,
            prefixes=frozenset(prefix for prefix in listed if prefix.version == version),
        )
        for version in versions
    )


def _host_sets(name: str, hosts: Iterable[IPAddress]) -> tuple[AddressSet, ...]:
    prefixes = [ip_network(host) for host in hosts]
    return _sets(name, prefixes, _versions(prefixes))
