"""Which change comes next, what it makes of the set, and whom it may disturb. Pure.

A run is decided by its seed: the n-th change is a function of the seed, n and the state of the set.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from typing import TYPE_CHECKING, Any

from l3conf.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from l3conf.model.topology import ClusterSpec, Topology

Pair = frozenset[str]
"""Two clusters."""
LEAST = 2
"""Members that stay, however many leave."""
_MOST_ISOLATED = 2
_SHORTEST, _LONGEST = 1.0, 20.0
"""Seconds that a change lasts which has an end of its own: from a glitch to longer than a gateway's lease (15 s)."""


class Kind(Enum):
    """What is done."""

    KILL = "agents-killed"
    CRASH = "gateway-crashed"
    MOVE = "gateway-moved"
    LEAVE = "cluster-left"
    JOIN = "cluster-joined"
    CUT = "underlay-cut"
    LOSS = "underlay-lossy"
    BROKER = "broker-away"
    REFUSALS = "api-refuses"
    DROPS = "api-drops"
    LATE = "events-late"
    ROTATE = "keys-rotated"
    ISOLATE = "pair-isolated"
    CONNECT = "pair-connected"
    PODS = "pods-churned"
    SERVICE = "service-exported"
    NODE = "node-added-and-removed"


BROKER = "broker"
"""What an API's cluster is called where it is the broker's."""
_OF_API = (Kind.REFUSALS, Kind.DROPS, Kind.LATE)
OPTIONAL = frozenset({Kind.ROTATE, Kind.ISOLATE, Kind.CONNECT})
"""What not every implementation can do."""
BUDGETS: Mapping[Kind, str] = {
    Kind.KILL: "T_restart",
    Kind.CRASH: "T_restart",
    Kind.MOVE: "T_recover",
    Kind.LEAVE: "T_leave",
    Kind.JOIN: "T_join",
    Kind.CUT: "T_recover",
    Kind.LOSS: "T_recover",
    Kind.BROKER: "T_reconcile",
    Kind.REFUSALS: "T_reconcile",
    Kind.DROPS: "T_reconcile",
    Kind.LATE: "T_reconcile",
    Kind.ROTATE: "T_rekey",
    Kind.ISOLATE: "T_policy",
    Kind.CONNECT: "T_policy",
    Kind.PODS: "T_recover",
    Kind.SERVICE: "T_reconcile",
    Kind.NODE: "T_node",
}
"""By when all must hold again, from the end of the change (``spec/budgets.yaml``)."""
_TOWARDS_PEERS = frozenset({Kind.CRASH, Kind.LEAVE, Kind.JOIN})
_BETWEEN_TWO = frozenset({Kind.CUT, Kind.LOSS, Kind.ISOLATE, Kind.CONNECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change."""

    kind: Kind
    cluster: str
    """Or ``broker``, for what befalls an API."""
    other: str = ""
    """The second cluster, where two are meant."""
    node: str = ""
    """"": for gateways, the active one."""
    seconds: float = 0.0
    """How long it lasts; 0 for what is over at once."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        given = {"kind": self.kind.value, "cluster": self.cluster, "other": self.other, "node": self.node}
        return {name: value for name, value in {**given, "seconds": self.seconds}.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Change:
        """Read one; ``UserError`` if it is none."""
        try:
            return cls(**{**data, "kind": Kind(data["kind"])})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{dict(data)!r} is no change ({error})", remedy="replay a journal of a soak") from None

    def __str__(self) -> str:
        place = self.cluster + (f"@{self.node}" if self.node else "") + (f" and {self.other}" if self.other else "")
        return f"{self.kind.value} {place}" + (f" for {self.seconds:g} s" if self.seconds else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The set as it should be."""

    topology: Topology
    members: frozenset[str]
    isolated: frozenset[Pair] = frozenset()
    """Pairs that policies keep apart, members or not."""
    able: frozenset[Kind] = frozenset(Kind)
    """What can be done with this implementation."""

    def connects(self, one: str, other: str) -> bool:
        """Say whether two clusters are to reach each other."""
        return one != other and {one, other} <= self.members and frozenset((one, other)) not in self.isolated

    def peers(self, cluster: str) -> frozenset[str]:
        """Return whom a cluster should be connected with."""
        return frozenset(each for each in self.members if self.connects(cluster, each))

    def to_json(self) -> dict[str, Any]:
        """Return what changes of it as JSON data."""
        return {"members": sorted(self.members), "isolated": sorted(sorted(pair) for pair in self.isolated)}


def next_change(seed: int, number: int, state: State) -> Change:
    """Return the n-th change of a run. First a kind is chosen among those that are possible, then what it is about."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - to be replayed
    found: dict[Kind, list[Change]] = {}
    for change in _possible(state):
        if change.kind in state.able:
            found.setdefault(change.kind, []).append(change)
    kind = chance.choice(sorted(found, key=lambda each: each.value))
    chosen = chance.choice(found[kind])
    return replace(chosen, seconds=_duration(chance)) if chosen.seconds else chosen


def _duration(chance: random.Random) -> float:
    return round(float(_SHORTEST * (_LONGEST / _SHORTEST) ** chance.random()), 1)


def _possible(state: State) -> Iterator[Change]:
    """Give every change that the state allows, in a fixed order; ``seconds`` 1 where it lasts."""
    for cluster in state.topology.clusters:
        if cluster.name in state.members:
            yield from _of_member(cluster, state)
        else:
            yield Change(kind=Kind.JOIN, cluster=cluster.name)
    for kind in (Kind.BROKER, *_OF_API):
        yield Change(kind=kind, cluster=BROKER, seconds=1)
    for one, other in combinations(sorted(state.members), 2):
        yield from _of_pair(one, other, state)


def _of_member(cluster: ClusterSpec, state: State) -> Iterator[Change]:
    for node in cluster.nodes:
        yield Change(kind=Kind.KILL, cluster=cluster.name, node=node.name)
    for kind in (Kind.CRASH, Kind.NODE, *_OF_API):
        yield Change(kind=kind, cluster=cluster.name, seconds=1)
    for kind in (Kind.ROTATE, Kind.PODS, Kind.SERVICE):
        yield Change(kind=kind, cluster=cluster.name)
    if len(cluster.gateway_nodes) > 1:
        yield Change(kind=Kind.MOVE, cluster=cluster.name)
    if len(state.members) > LEAST:
        yield Change(kind=Kind.LEAVE, cluster=cluster.name)


def _of_pair(one: str, other: str, state: State) -> Iterator[Change]:
    for kind in (Kind.CUT, Kind.LOSS):
        yield Change(kind=kind, cluster=one, other=other, seconds=1)
    if frozenset((one, other)) in state.isolated:
        yield Change(kind=Kind.CONNECT, cluster=one, other=other)
    elif len(state.isolated) < _MOST_ISOLATED:
        yield Change(kind=Kind.ISOLATE, cluster=one, other=other)


def applied(change: Change, state: State) -> State:
    """Return the state after a change."""
    pair = frozenset((change.cluster, change.other))
    match change.kind:
        case Kind.LEAVE:
            return replace(state, members=state.members - {change.cluster})
        case Kind.JOIN:
            return replace(state, members=state.members | {change.cluster})
        case Kind.ISOLATE:
            return replace(state, isolated=state.isolated | {pair})
        case Kind.CONNECT:
            return replace(state, isolated=state.isolated - {pair})
        case _:
            return state


def parts(change: Change) -> bool:
    """Say whether a change takes clusters away from each other that were connected."""
    return change.kind in {Kind.LEAVE, Kind.ISOLATE}


def disturbs(change: Change, pair: Collection[str]) -> bool:
    """Say whether packets between two clusters may be lost by a change. Of whom it may not, none may be lost."""
    if change.kind in _TOWARDS_PEERS:
        return change.cluster in pair
    return change.kind in _BETWEEN_TWO and frozenset(pair) == {change.cluster, change.other}
