"""The nftables rules of both agents."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_TABLE, NODE_DEVICE, NODE_PORT, NODE_TABLE
from reference_impl.state import AddressSet, Chain, Ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reference_impl.state import IPAddress, IPNetwork

_FAMILY = {4: "ip", 6: "ip6"}
_PROTOCOL = {4: "ipv4", 6: "ipv6"}
_IP_AND_TCP_HEADERS = {4: 40, 6: 60}
BEFORE_SOURCE_NAT = "srcnat - 10"
"""Priority of our source chain: a flow whose source NAT is settled here is out of reach for every later
masquerade, be it the network plugin's or kube-proxy's (both at srcnat)."""


def node_ruleset(
    *,
    local: Sequence[IPNetwork],
    remote: Sequence[IPNetwork],
    nodes: Iterable[IPAddress],
    sources: Iterable[IPAddress],
    mtu: int,
    cable: str,
) -> Ruleset:
    """Plan the rules of every node.

    ``local`` holds the own pod CIDRs, ``remote`` all prefixes of members, ``nodes`` the underlay addresses of
    the own cluster, ``sources`` the node's own address in its pod CIDRs, one per IP version at most, ``mtu`` the
    least on the way, ``cable`` the device of this cluster's cable driver: what comes out of any other one is not
    believed.
    """
    versions = _versions(local, remote)
    tunnels = f'{{ "{NODE_DEVICE}", "{cable}" }}'
    return Ruleset(
        table=NODE_TABLE,
        sets=(
            *_sets("local", local, versions),
            *_sets("remote", remote, versions),
            *_host_sets("nodes", nodes),
        ),
        chains=(
            Chain(name="spoofed", kind="filter", hook="prerouting", priority="raw", rules=_spoofed(versions, tunnels)),
            Chain(
                name="underlay",
                kind="filter",
                hook="input",
                priority="filter",
                rules=_only_from("nodes", NODE_PORT, nodes),
            ),
            Chain(name="clamp", kind="filter", hook="forward", priority="mangle", rules=_clamp(versions, mtu, tunnels)),
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
    peers: Iterable[IPAddress],
    port: int,
    device: str,
    authenticates: bool,
) -> Ruleset:
    """Plan the further rules of the active gateway.

    ``local`` holds every own prefix a peer may address (services too), ``peers`` the outer addresses of peers. Where
    the cable authenticates its packets, these may come from any address: a peer behind NAT has none of its own.
    """
    versions = _versions(local, remote)
    ingress = [
        rule
        for version in versions
        for rule in (
            f'iifname "{device}" {_FAMILY[version]} saddr != @remote_v{version} counter drop',
            f'iifname "{device}" {_FAMILY[version]} daddr != @local_v{version} counter drop',
            f'iifname "{NODE_DEVICE}" {_FAMILY[version]} saddr @remote_v{version} counter drop',
        )
    ]
    return Ruleset(
        table=CABLE_TABLE,
        sets=(
            *_sets("local", local, versions),
            *_sets("remote", remote, versions),
            *_host_sets("peers", peers),
        ),
        chains=(
            # Only what is for us and from a member leaves the cable: no transit, and no member's packets from
            # a node of our own, whose only way for them is the cable.
            Chain(name="ingress", kind="filter", hook="prerouting", priority="raw", rules=tuple(ingress)),
            Chain(
                name="underlay",
                kind="filter",
                hook="input",
                priority="filter",
                rules=() if authenticates else _only_from("peers", port, peers),
            ),
        ),
    )


def _spoofed(versions: Iterable[int], tunnels: str) -> tuple[str, ...]:
    """Believe a member's source only out of a tunnel (L3-B8); before conntrack, so it costs no entry."""
    return tuple(
        f"iifname != {tunnels} {_FAMILY[version]} saddr @remote_v{version} counter drop" for version in versions
    )


def _only_from(name: str, port: int, hosts: Iterable[IPAddress]) -> tuple[str, ...]:
    """Take outer packets from known hosts only; a family without hosts is closed altogether."""
    present = {host.version for host in hosts}
    return tuple(
        f"udp dport {port} {_FAMILY[version]} saddr != @{name}_v{version} counter drop"
        if version in present
        else f"meta nfproto {_PROTOCOL[version]} udp dport {port} counter drop"
        for version in (4, 6)
    )


def _clamp(versions: Iterable[int], mtu: int, tunnels: str) -> tuple[str, ...]:
    """Clamp both directions: each end learns from the other's SYN what fits. The kernel never raises the option."""
    return tuple(
        f"{side} {tunnels} meta nfproto {_PROTOCOL[version]} tcp flags & (syn | rst) == syn "
        f"tcp option maxseg size set {mtu - _IP_AND_TCP_HEADERS[version]}"
        for version in versions
        for side in ("iifname", "oifname")
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
