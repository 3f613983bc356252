"""Looks at a set: who reaches whom, and what status says of it."""

from __future__ import annotations

from itertools import chain, permutations
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.observation import Outcome, Probe
from l3conf.plugin.gateways import CONNECTED, latest_connections
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.bench.members import Member, MemberSet
    from l3conf.soak.changes import State

_GROUP = "/apis/submariner.io/v1"
_ANSWER = 0.5
"""Seconds for an answer."""


def violations(members: MemberSet, state: State) -> list[str]:
    """Return one line for whatever is not as it should be now; none if all is well."""
    try:
        return [*_packets(members, state), *_status(members, state), *_known(members, state)]
    except LabError as error:
        return [f"could not be looked at: {error}"]


def active_gateways(members: MemberSet, state: State) -> Mapping[str, tuple[str, ...]]:
    """Return the nodes whose Gateways call themselves active, by member."""
    return {
        name: tuple(
            sorted(
                str(each["metadata"]["name"])
                for each in members.apis[name].items(f"{_GROUP}/gateways")
                if (each.get("status") or {}).get("haStatus") == "active"
            )
        )
        for name in sorted(state.members)
    }


def _packets(members: MemberSet, state: State) -> list[str]:
    """Send between all pods of pairs that connect, and between one pod each of those that must not.

    Silence is believed of a receiver that answers somebody of its own cluster in the same round.
    """
    pods = {cluster.name: members.pods(cluster.name) for cluster in state.topology.clusters}
    lines = [f"{name} has {len(found)} probe pods" for name, found in pods.items() if len(found) < _nodes(state, name)]
    if lines:
        return lines
    both = list(permutations(sorted(pods), 2))
    wanted = [(a, b) for one, other in both if state.connects(one, other) for a in pods[one] for b in pods[other]]
    barred = [(pods[one][-1], pods[other][-1]) for one, other in both if not state.connects(one, other)]
    alive = [(found[0], found[-1]) for found in pods.values()]
    arrived = _arrived(members, [*wanted, *barred, *alive])
    lines = [f"{one.place} does not reach {other.place}" for one, other in [*wanted, *alive] if not arrived[one, other]]
    return lines + [f"{one.place} reaches {other.place}" for one, other in barred if arrived[one, other]]


def _nodes(state: State, cluster: str) -> int:
    return len(state.topology.cluster(cluster).nodes)


def _arrived(members: MemberSet, pairs: Sequence[tuple[Member, Member]]) -> dict[tuple[Member, Member], bool]:
    probes = [Probe(source=one.place, destination=other.address, port=PORT, timeout=_ANSWER) for one, other in pairs]
    seen = members.lab.probe(probes)
    return {pair: each.outcome is Outcome.DELIVERED for pair, each in zip(pairs, seen, strict=True)}


def _status(members: MemberSet, state: State) -> list[str]:
    """Return where Gateways say something else than what packets should find."""
    lines = []
    for name, active in active_gateways(members, state).items():
        if len(active) != 1:
            lines.append(f"{name} has {len(active)} active gateways")
            continue
        told = latest_connections(members.apis[name].items(f"{_GROUP}/gateways"))
        for peer in sorted(state.peers(name)):
            status = told[peer].status if peer in told else "absent"
            if status != CONNECTED:
                lines.append(f"{name} says {status} of {peer}")
        more = sorted(peer for peer, one in told.items() if one.status == CONNECTED and peer not in state.peers(name))
        lines += [f"{name} says connected of {peer}" for peer in more]
    return lines


def _known(members: MemberSet, state: State) -> list[str]:
    """Return what the broker holds beside one Cluster and one Endpoint of each member, in any namespace of it."""
    lines = []
    for kind in ("clusters", "endpoints"):
        places: dict[str, list[str]] = {}
        for each in members.broker.items(f"{_GROUP}/{kind}"):
            owners = places.setdefault(str((each.get("metadata") or {}).get("namespace")), [])
            owners.append(str(each["spec"].get("cluster_id")))
        known = {*chain(*places.values())}
        if known != {*state.members}:
            lines.append(f"the broker has {kind} of {', '.join(sorted(known)) or 'nobody'}")
        twice = {(place, owner) for place, owners in places.items() for owner in owners if owners.count(owner) > 1}
        lines += [f"{place} at the broker has {kind} of {owner} more than once" for place, owner in sorted(twice)]
    return lines
