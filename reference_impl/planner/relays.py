"""Which pairs go through a third member, because they cannot reach each other: a pure function of what members publish.

Each member that takes part says whom it reaches directly and whom it has tried in vain, in its Endpoint's
``backend_config``. A pair is relayed if both say that they reach each other in vain, by a member that both say they
reach and that says it reaches both. All three come to the same result from the same Endpoints, so nobody has to ask or
agree: the relay forwards for exactly the pairs that asked, by their own words, and for no others.

The relay is an end of both tunnels and sees what it forwards. So a member takes part only if its operator said so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from reference_impl.protocols.objects import Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.protocols.objects import Endpoint

REACHED = "reached"
UNREACHED = "unreached"
"""Entries of ``backend_config``: cluster ids, separated by commas. Who publishes neither takes no part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a member reaches."""

    reached: frozenset[str] = frozenset()
    """Directly, as round trips have shown."""
    unreached: frozenset[str] = frozenset()
    """Tried in vain."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Return what is published of it."""
        return {REACHED: ",".join(sorted(self.reached)), UNREACHED: ",".join(sorted(self.unreached))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relays:
    """What relaying means for one member."""

    via: Mapping[str, str] = field(default_factory=dict)
    """Peer → the peer through which it is reached."""
    between: frozenset[tuple[str, str]] = frozenset()
    """Pairs of peers that this member relays, each in order."""


def reach_of(endpoint: Endpoint) -> Reach:
    """Read whom a member reaches; nobody where it says nothing."""
    return Reach(reached=_names(endpoint.parameter(REACHED)), unreached=_names(endpoint.parameter(UNREACHED)))


def plan_relays(own: Endpoint, peers: Sequence[Endpoint]) -> Relays:
    """Plan what is relayed for this member and by it. ``peers``: those that it is connected to, or wants to be."""
    members = (own, *peers)
    reaches = {member.cluster_id: reach_of(member) for member in members}
    via: dict[str, str] = {}
    between: set[tuple[str, str]] = set()
    for one, other in combinations(sorted(reaches), 2):
        relay = relay_of(one, other, reaches)
        if relay == own.cluster_id:
            between.add((one, other))
        elif relay and own.cluster_id in (one, other):
            via[other if one == own.cluster_id else one] = relay
    return Relays(via=via, between=frozenset(between))


def relay_of(one: str, other: str, reaches: Mapping[str, Reach]) -> str:
    """Return the member by which a pair is relayed; "" if it is not. Whoever asks, in whatever order: the same."""
    if other not in reaches[one].unreached or one not in reaches[other].unreached:
        return ""
    pair = {one, other}
    common = [
        name
        for name in (reaches[one].reached & reaches[other].reached) - pair
        if name in reaches and pair <= reaches[name].reached
    ]
    # By hash, so that pairs spread over the members that could relay them, and all choose alike.
    return min(common, key=lambda name: hashlib.sha256("|".join([*sorted(pair), name]).encode()).digest(), default="")


def relayed(peers: Iterable[Endpoint], relays: Relays) -> tuple[Endpoint, ...]:
    """Return peers as they are reached: those behind a relay by the relay's way."""
    listed = tuple(peers)
    by_id = {peer.cluster_id: peer for peer in listed}
    return tuple(_behind(peer, by_id.get(relays.via.get(peer.cluster_id, ""))) for peer in listed)


def _behind(peer: Endpoint, relay: Endpoint | None) -> Endpoint:
    if relay is None:
        return peer
    way = Way(
        address=relay.tunnel_address,
        port=relay.tunnel_port,
        reason="Relayed",
        message=f"member {relay.cluster_id}: no direct way was found",
    )
    return replace(peer, way=way)


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, (word.strip() for word in text.split(","))))
