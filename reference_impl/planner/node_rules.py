"""The nftables rules of every node.

Each table looks at a packet that arrives in one base chain, and asks first what few packets answer with yes: entering a
chain and looking into a set of prefixes are what costs, at every packet of every node (``l3conf bench cables``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.names import NODE_DEVICE, NODE_PORT, NODE_TABLE
from reference_impl.planner.rule_parts import FAMILY, host_sets, only_from, prefix_sets, sources_in, versions_of
from reference_impl.state import Chain, Ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reference_impl.state import IPAddress, IPNetwork

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
    outer: Sequence[IPAddress] = (),
    segments: int,
    cables: Sequence[str],
) -> Ruleset:
    """Plan the rules of every node.

    ``local`` holds the own pod CIDRs, ``remote`` all prefixes of members, ``nodes`` the underlay addresses of
    the own cluster, ``sources`` the node's own address in its pod CIDRs, one per IP version at most, ``outer`` the
    addresses of members' gateways that lie in members' prefixes, ``segments`` what packets of TCP must fit into, in
    bytes, ``cables`` the devices of this cluster's cable drivers: what comes out of any other one is not believed.
    """
    versions = versions_of(local, remote)
    hosts = tuple(nodes)
    tunnels = "{ " + ", ".join(f'"{device}"' for device in (NODE_DEVICE, *cables)) + " }"
    return Ruleset(
        table=NODE_TABLE,
        sets=(
            *prefix_sets("local", local, versions),
            *prefix_sets("remote", remote, versions),
            *host_sets("nodes", hosts),
            *host_sets("outer", outer),
        ),
        chains=(
            Chain(name="underlay", rules=only_from("nodes", hosts)),
            Chain(name="clamp", rules=_clamp(versions, segments)),
            Chain(name="spoofed", rules=(*_between_gateways(hosts, outer), "counter drop")),
            # Before conntrack, so that what is dropped costs no entry.
            Chain(
                name="arriving",
                hook="prerouting",
                priority="raw",
                rules=(f"udp dport {NODE_PORT} jump underlay", *_spoofed(remote, versions, tunnels)),
            ),
            # Only what is forwarded: outer packets of cables, many for one that they carry, never come by.
            Chain(
                name="passing",
                hook="forward",
                priority="mangle",
                rules=("tcp flags & (syn | rst) == syn jump clamp",),
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


def _between_gateways(nodes: Iterable[IPAddress], outer: Iterable[IPAddress]) -> tuple[str, ...]:
    """Let tunnel packets in from gateways whose addresses members' prefixes hold (L3-D5): to nodes, no further."""
    shared = {address.version for address in nodes} & {address.version for address in outer}
    return tuple(
        f"{FAMILY[version]} saddr @outer_v{version} {FAMILY[version]} daddr @nodes_v{version} counter accept"
        for version in sorted(shared)
    )


def _spoofed(remote: Sequence[IPNetwork], versions: Iterable[int], tunnels: str) -> tuple[str, ...]:
    """Believe a member's source only out of a tunnel (L3-B8)."""
    return tuple(
        f"{theirs} iifname != {tunnels} goto spoofed"
        for version in versions
        for theirs in sources_in("remote", version, remote)
    )


def _clamp(versions: Iterable[int], size: int) -> tuple[str, ...]:
    """Clamp both directions: each end learns from the other's SYN what fits. The kernel never raises the option.

    What this node sends itself, answers included, knows the MTU from its route.
    """
    return tuple(
        f"{FAMILY[version]} {end} @remote_v{version} tcp option maxseg size set {size - _IP_AND_TCP_HEADERS[version]}"
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
        ip, local, remote = FAMILY[version], f"@local_v{version}", f"@remote_v{version}"
        rules.append(f"{ip} saddr {local} {ip} daddr {remote} snat {ip} to {ip} saddr")
        rules.append(f"{ip} saddr {remote} {ip} daddr {local} snat {ip} to {ip} saddr")
        # Relayed: neither end is ours to rename.
        rules.append(f"{ip} saddr {remote} {ip} daddr {remote} snat {ip} to {ip} saddr")
        if version in own:
            rules.append(f"oifname {tunnels} {ip} daddr {remote} snat {ip} to {own[version]}")
    return tuple(rules)
