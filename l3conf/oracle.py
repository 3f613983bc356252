"""Who must reach whom, and seen as whom: a pure function of what was declared and who has joined.

The suite never computes an expectation beside a packet. Scenarios take the expected table from here, observe the
same cells and compare tables, so that a difference is a named cell: this client, that server, this protocol.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from l3conf.observation import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from l3conf.model.topology import ClusterSpec, IPFamily, Topology

    Policy = Callable[[str, str], bool]
    """Whether two clusters may connect; must be symmetric (L3-J2)."""

TRANSLATED = "OverlappingCIDRs"
"""Extended feature under which clusters with overlapping ranges reach each other by global addresses."""


class SeenAs(enum.Enum):
    """Whose address a server must see as the source."""

    ITSELF = "its own address"
    """The client pod's own: nothing on the path may rewrite it (L3-F5)."""
    GLOBAL = "a global address of its cluster"
    """Overlapping ranges: an address that is unique in the cluster set (L3-H2)."""
    ANYONE = "any address"
    """No requirement: a pod that calls itself through a Service is masqueraded by kube-proxy (hairpin), and who
    answers an ICMP echo, a kernel, does not tell whom it saw."""


class Via(enum.Enum):
    """What the client addresses."""

    POD = "pod"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A pod's position, as far as reachability can depend on it."""

    cluster: str
    node: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One question of the table."""

    client: Site
    server: Site
    """The pod, or the backend behind the Service of its cluster."""
    via: Via
    family: IPFamily
    protocol: Protocol

    def __str__(self) -> str:
        """Return the cell as a report names it."""
        through = " via its ClusterIP" if self.via is Via.SERVICE else ""
        return (
            f"{self.protocol.value} {self.family.value} {self.client.cluster}/{self.client.node}"
            f" -> {self.server.cluster}/{self.server.node}{through}"
        )


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a cell must show."""

    reachable: bool
    seen_as: SeenAs | None = None
    """None exactly where nothing may arrive."""

    def __str__(self) -> str:
        """Return the expectation in words."""
        return f"arrives, seen as {self.seen_as.value}" if self.seen_as else "must not arrive"


Table = dict[Cell, Expectation]


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell in which what was observed is not what the oracle says."""

    cell: Cell
    expected: Expectation
    observed: str

    def __str__(self) -> str:
        """Return the difference as one line."""
        return f"{self.cell}: {self.expected}; observed: {self.observed}"


def expected(
    topology: Topology,
    *,
    joined: Iterable[str],
    features: Iterable[str] = (),
    policy: Policy | None = None,
) -> Table:
    """Return every cell between one pod per node, for pods and for the Service over each cluster's pods.

    ``joined`` are the clusters that are members now, in the order in which they joined; ``features`` what the
    implementation declares. Without a ``policy`` all members connect. Local cells do not depend on membership at all
    (L3-F7).
    """
    declared = frozenset(features)
    members = frozenset(joined if TRANSLATED in declared else accepted(topology, joined))
    table: Table = {}
    for client, server in product(topology.clusters, repeat=2):
        for family in client.families:
            if family in server.families:
                table |= _between(client, server, family, _reach(client, server, members, declared, policy))
    return table


def accepted(topology: Topology, joined: Iterable[str]) -> tuple[str, ...]:
    """Return the members that overlap nobody who joined before them and was accepted, in the order of ``joined``.

    Whoever overlaps an incumbent cannot be served at all without translation, not even by a third member: replies to
    its addresses go to the incumbent (L3-H1).
    """
    taken: list[ClusterSpec] = []
    clusters = {cluster.name: cluster for cluster in topology.clusters}
    for name in joined:
        if name in clusters and not any(overlap(clusters[name], other) for other in taken):
            taken.append(clusters[name])
    return tuple(cluster.name for cluster in taken)


def compare(table: Mapping[Cell, Expectation], observed: Mapping[Cell, tuple[Expectation, str]]) -> list[Difference]:
    """Return the cells of ``table`` that ``observed`` does not satisfy, in the table's order.

    An observation is what was seen, as an expectation, and the words for it. A cell that nobody observed is a
    difference: what was not proved must not read as proved.
    """
    differences = []
    for cell, want in table.items():
        got, words = observed.get(cell, (None, "nothing was observed"))
        if got is None or not _satisfies(want, got):
            differences.append(Difference(cell, want, words))
    return differences


def overlap(left: ClusterSpec, right: ClusterSpec) -> bool:
    """Whether any pod or service range of two clusters overlaps."""
    return any(
        a.version == b.version and a.overlaps(b)
        for a, b in product((*left.pod_cidrs, *left.service_cidrs), (*right.pod_cidrs, *right.service_cidrs))
    )


def _reach(
    client: ClusterSpec,
    server: ClusterSpec,
    members: frozenset[str],
    features: frozenset[str],
    policy: Policy | None,
) -> SeenAs | None:
    """Return whose address a server sees, or None where nothing may arrive."""
    if client.name == server.name:
        return SeenAs.ITSELF
    if not {client.name, server.name} <= members:
        return None
    if policy is not None and not policy(client.name, server.name):
        return None
    if not client.shares_a_driver_with(server):
        return None
    if overlap(client, server):
        return SeenAs.GLOBAL if TRANSLATED in features else None
    return SeenAs.ITSELF


def _between(client: ClusterSpec, server: ClusterSpec, family: IPFamily, seen_as: SeenAs | None) -> Table:
    cells: Table = {}
    for origin, target, protocol in product(_sites(client), _sites(server), Protocol):
        if origin != target:
            seen = SeenAs.ANYONE if seen_as and protocol is Protocol.ICMP else seen_as
            cells[Cell(origin, target, Via.POD, family, protocol)] = Expectation(seen is not None, seen)
        # A ClusterIP answers no ICMP: kube-proxy translates ports only; the suite's Services have none of SCTP.
        if protocol in {Protocol.TCP, Protocol.UDP}:
            seen = SeenAs.ANYONE if origin == target else seen_as
            cells[Cell(origin, target, Via.SERVICE, family, protocol)] = Expectation(seen is not None, seen)
    return cells


def across_clusters(table: Mapping[Cell, Expectation], via: Via, *protocols: Protocol) -> Table:
    """Return the cells between different clusters, by what the client addresses and how."""
    return {
        cell: want
        for cell, want in table.items()
        if cell.client.cluster != cell.server.cluster and cell.via is via and cell.protocol in protocols
    }


def whoever_asks(table: Mapping[Cell, Expectation]) -> Table:
    """Return the same cells with reachability alone: for rows that leave the source address to another row."""
    return {cell: replace(want, seen_as=want.seen_as and SeenAs.ANYONE) for cell, want in table.items()}


def _sites(cluster: ClusterSpec) -> list[Site]:
    return [Site(cluster.name, node.name) for node in cluster.nodes]


def _satisfies(want: Expectation, got: Expectation) -> bool:
    if want.reachable != got.reachable:
        return False
    return want.seen_as in {None, SeenAs.ANYONE, got.seen_as}
