"""Which members of the cluster set this cluster connects to, which it refuses, and why."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.planner.claims import Claims
from reference_impl.planner.driver_set import only
from reference_impl.planner.standbys import with_standbys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.protocols.objects import Cluster, Endpoint
    from reference_impl.state import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A member that is not connected, for a reason that its operator can mend."""

    cluster_id: str
    reason: str
    """CamelCase, as in a condition: ``OverlappingCIDR``, ``IPFamilyMismatch``,
    ``DriverMismatch``, ``IdentityConflict``, ``Malformed``, ``Isolated``, ``Conflicted``."""
    message: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The cluster set as seen from one member."""

    peers: tuple[Endpoint, ...]
    """One Endpoint per member to connect to, by cluster id."""
    refusals: tuple[Refusal, ...]
    known: tuple[IPNetwork, ...]
    """Every prefix of a member whose claim stands, connected or not: none of it may leak to the default route."""


def plan_membership(
    own: Cluster,
    underlay: Sequence[IPAddress],
    clusters: Iterable[Cluster],
    endpoints: Iterable[Endpoint],
    *,
    drivers: DriverSet,
) -> Membership:
    """Choose the peers among all members.

    A prefix that overlaps one already claimed is refused, never guessed at (L3-H1). The oldest claim wins, so a
    newcomer cannot take traffic from a connected cluster. Refusals are returned, not raised: one misconfigured
    member must not disconnect the others. A member with global ranges claims these alone; inside, it may have the same
    ranges as anybody. One that only lacks a common driver keeps its prefixes: nothing for it may
    leave by another way. ``underlay`` holds the addresses of our own nodes and of the broker, and accepted members'
    gateways join them: a member that claims one of these would cut others off, not itself.

    Members that connection policies do not connect with this one are no peers, whatever Endpoints there are. They
    claim last, and without dispute: clusters that never meet may have the same ranges.
    """
    listed = {cluster.cluster_id: cluster for cluster in clusters if cluster.cluster_id != own.cluster_id}
    isolated = {name: cluster for name, cluster in listed.items() if cluster.isolation is not None}
    members = {name: cluster for name, cluster in listed.items() if name not in isolated}
    named = {name: cluster.cable_driver for name, cluster in members.items() if cluster.cable_driver}
    newest = {
        name: only(endpoint, named[name]) if name in named else endpoint
        for name, endpoint in _newest(endpoints, own.cluster_id).items()
        if name not in isolated
    }
    claimed = Claims()
    claimed.add(own.cluster_id, own.used)
    inside = Claims()
    guarded = Claims()
    guarded.add("this cluster's own nodes or broker", map(ip_network, underlay))
    known: list[IPNetwork] = []
    identities: dict[str, str] = {drivers.own_identity: own.cluster_id}
    peers: list[Endpoint] = []
    refusals: list[Refusal] = []
    for cluster_id in sorted(members.keys() | newest.keys(), key=lambda name: _seniority(name, members, newest)):
        endpoint = newest.get(cluster_id)
        claims = _claims(members.get(cluster_id), endpoint)
        refusal = (
            _overlap(cluster_id, claims, claimed, guarded, endpoint)
            or _meant_otherwise(members.get(cluster_id), claims, inside, own, endpoint)
            or _among_ours(own, endpoint)
            or _family_mismatch(own, endpoint)
            or _mismatch(endpoint, drivers, identities)
        )
        if refusal is not None:
            refusals.append(refusal)
            if refusal.reason != "DriverMismatch":
                continue
        claimed.add(cluster_id, claims)
        known.extend(claims)
        if cluster_id in members:
            inside.add(cluster_id, members[cluster_id].used)
        if endpoint is not None and refusal is None:
            identities[drivers.identity(endpoint)] = cluster_id
            guarded.add(f"the gateway of {cluster_id}", map(ip_network, outer_addresses(endpoint)))
            peers.append(endpoint)
    for cluster in sorted(isolated.values(), key=lambda each: (each.created, each.cluster_id)):
        reason, message = cluster.isolation or ("", "")
        refusals.append(Refusal(cluster_id=cluster.cluster_id, reason=reason, message=message))
        if _overlap(cluster.cluster_id, cluster.prefixes, claimed, guarded, None) is None:
            claimed.add(cluster.cluster_id, cluster.prefixes)
            known.extend(cluster.prefixes)
    taken = {*identities, *(drivers.identity(peer) for peer in newest.values())}
    peers = list(with_standbys(peers, drivers, claimed, taken))
    return Membership(
        peers=tuple(sorted(peers, key=lambda peer: peer.cluster_id)),
        refusals=tuple(sorted(refusals, key=lambda refusal: refusal.cluster_id)),
        known=tuple(known),
    )


def local_gateway(own_id: str, endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """Return our own active gateway's Endpoint; during a failover the newest one counts."""
    own = [endpoint for endpoint in endpoints if endpoint.cluster_id == own_id]
    return max(own, key=_age, default=None)


def _newest(endpoints: Iterable[Endpoint], own_id: str) -> dict[str, Endpoint]:
    """Return the Endpoint per foreign member that counts while two gateways overlap: the newest."""
    listed: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.cluster_id != own_id:
            listed.setdefault(endpoint.cluster_id, []).append(endpoint)
    return {name: found[0] if len(found) == 1 else max(found, key=_age) for name, found in listed.items()}


def _age(endpoint: Endpoint) -> tuple[str, str, str]:
    """Order Endpoints by creation (RFC 3339 in UTC sorts as text), then by content so that a tie is decided alike."""
    return endpoint.created, endpoint.cable_name, repr(endpoint)


def _seniority(cluster_id: str, members: dict[str, Cluster], newest: dict[str, Endpoint]) -> tuple[str, str]:
    """Order members by when their Cluster object came: Endpoints are replaced at every failover."""
    source = members.get(cluster_id) or newest[cluster_id]
    return source.created, cluster_id


def _claims(cluster: Cluster | None, endpoint: Endpoint | None) -> tuple[IPNetwork, ...]:
    """Return what a member claims, once each: what its Endpoint routes and what its Cluster announces."""
    subnets = endpoint.subnets if endpoint else ()
    announced = cluster.prefixes if cluster else ()
    return tuple(dict.fromkeys(subnets + announced))


def _overlap(
    cluster_id: str,
    claims: Sequence[IPNetwork],
    claimed: Claims,
    guarded: Claims,
    endpoint: Endpoint | None,
) -> Refusal | None:
    """Return the first thing wrong with a member's prefixes."""
    for prefix in claims:
        found = claimed.overlapping(prefix)
        if found is not None:
            owner, other = found
            text = f"{prefix} overlaps {other} of {owner}"
            return Refusal(cluster_id=cluster_id, reason="OverlappingCIDR", message=text, endpoint=endpoint)
        inside = guarded.overlapping(prefix)
        if inside is not None:
            text = f"{prefix} holds {inside[1].network_address} of {inside[0]}"
            return Refusal(cluster_id=cluster_id, reason="OverlappingCIDR", message=text, endpoint=endpoint)
        if not _can_be_routed(prefix):
            text = f"{prefix} is no prefix that can be routed between clusters"
            return Refusal(cluster_id=cluster_id, reason="Malformed", message=text, endpoint=endpoint)
    return None


def _meant_otherwise(
    cluster: Cluster | None, claims: Sequence[IPNetwork], inside: Claims, own: Cluster, endpoint: Endpoint | None
) -> Refusal | None:
    """Return which prefix means something else inside another member.

    Our own packets would not leave a cluster that uses our prefixes itself, and global ranges are to be free in every
    member, not in ours alone (L3-H11): the same answer everywhere.
    """
    if cluster is None or not cluster.global_cidrs:
        return None
    for prefix in claims:
        found = inside.overlapping(prefix)
        if found is not None:
            text = f"{prefix} overlaps {found[1]}, which {found[0]} uses inside"
            return Refusal(cluster_id=cluster.cluster_id, reason="OverlappingCIDR", message=text, endpoint=endpoint)
    theirs = Claims()
    theirs.add(cluster.cluster_id, cluster.used)
    for prefix in own.prefixes:
        found = theirs.overlapping(prefix)
        if found is not None:
            text = f"{found[1]}, which {cluster.cluster_id} uses inside, overlaps our {prefix}"
            return Refusal(cluster_id=cluster.cluster_id, reason="OverlappingCIDR", message=text, endpoint=endpoint)
    return None


def _among_ours(own: Cluster, endpoint: Endpoint | None) -> Refusal | None:
    """Return which global range of ours lies in another member's underlay (L3-H11)."""
    if endpoint is None:
        return None
    for prefix in own.global_cidrs:
        for address in sorted(outer_addresses(endpoint), key=str):
            if address in prefix:
                name = endpoint.cluster_id
                text = f"our {prefix} holds {address} of the gateway of {name}"
                return Refusal(cluster_id=name, reason="OverlappingCIDR", message=text, endpoint=endpoint)
    return None


def outer_addresses(endpoint: Endpoint) -> set[IPAddress]:
    """Return where tunnel packets of a member may come from as far as it says."""
    gateways = (endpoint, *endpoint.standbys)
    return {address for gateway in gateways for address in (gateway.private_ip, gateway.tunnel_address)}


@functools.lru_cache(maxsize=1 << 16)
def _can_be_routed(prefix: IPNetwork) -> bool:
    """Say whether packets to a prefix may leave a cluster; remembered, since the answer takes as long as a plan."""
    return not (prefix.is_loopback or prefix.is_link_local or prefix.is_multicast or prefix.is_unspecified)


def _family_mismatch(own: Cluster, endpoint: Endpoint | None) -> Refusal | None:
    """Return why a member has no packet for us to carry, if it has none: one family in common is enough."""
    if endpoint is None or set(endpoint.versions) & set(own.versions):
        return None
    theirs, ours = (" and ".join(f"IPv{each}" for each in versions) for versions in (endpoint.versions, own.versions))
    text = f"{theirs} there, {ours} here"
    return Refusal(cluster_id=endpoint.cluster_id, reason="IPFamilyMismatch", message=text, endpoint=endpoint)


def _mismatch(endpoint: Endpoint | None, drivers: DriverSet, identities: Mapping[str, str]) -> Refusal | None:
    """Return why no cable can be laid to an Endpoint, if none can."""
    if endpoint is None:
        return None
    if text := drivers.mismatch(endpoint):
        reason = "DriverMismatch"
    elif text := drivers.objection(endpoint):
        reason = "Malformed"
    elif (identity := drivers.identity(endpoint)) and identity in identities:
        # A tunnel that is told apart by its key would take the incumbent's traffic along.
        reason, text = "IdentityConflict", f"its tunnel cannot be told from that of {identities[identity]}"
    else:
        return None
    return Refusal(cluster_id=endpoint.cluster_id, reason=reason, message=text, endpoint=endpoint)
