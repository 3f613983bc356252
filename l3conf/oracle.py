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

    from l3conf.model.topology import ClusterSpec, IPFamily, IPNetwork, Topology

    Policy = Callable[[str, str], bool]
    """Whether two clusters may connect; must be symmetric (L3-J2)."""


class SeenAs(enum.Enum):
    """Whose address a server must see as the source."""

    ITSELF = "its own address"
    """The client pod's own: nothing on the path may rewrite it (L3-F5)."""
    GLOBAL = "a global address of its cluster"
    """What its cluster's objects say of the client: an address that is unique in the cluster set (L3-H2, H7)."""
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
    by_global: bool = False
    """Whether the client addresses what is global instead of what is valid in the server's cluster; Services only."""

    def __str__(self) -> str:
        """Return the cell as a report names it."""
        through = " via its ClusterIP" if self.via is Via.SERVICE else ""
        through = " via its global address" if self.by_global else through
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


def expected(topology: Topology, *, joined: Iterable[str], policy: Policy | None = None) -> Table:
    """Return every cell between one pod per node, for pods and for the Service over each cluster's pods.

    ``joined`` are the clusters that are members now, in the order in which they joined. Without a ``policy`` all
    members connect. Local cells do not depend on membership at all (L3-F7). By its own addresses a cluster with global
    ones is reached by nobody else (L3-H2); there are cells for global addresses only if it is a member, and so has any.
    """
    members = frozenset(accepted(topology, joined))
    table: Table = {}
    for client, server in product(topology.clusters, repeat=2):
        seen_as = _seen_as(client, server, members, policy)
        hidden = server.is_translated and client is not server
        for family in client.families:
            if family in server.families:
                table |= _between(client, server, family, None if hidden else seen_as)
            if hidden and server.name in members and family in server.global_families:
                table |= _over_services(client, server, family, seen_as, by_global=True)
    return table


def accepted(topology: Topology, joined: Iterable[str]) -> tuple[str, ...]:
    """Return the members that overlap nobody who joined before them and was accepted, in the order of ``joined``.

    Whoever overlaps an incumbent cannot be served at all, not even by a third member: replies to its addresses go to
    the incumbent (L3-H1, H11). Nor can whoever would be known by addresses that are in use in its own cluster.
    """
    taken: list[ClusterSpec] = []
    clusters = {cluster.name: cluster for cluster in topology.clusters}
    for cluster in (clusters[name] for name in joined if name in clusters):
        ambiguous = cluster.is_translated and meet(_claims(cluster), _in_use(cluster))
        if not ambiguous and not any(overlap(cluster, other) for other in taken):
            taken.append(cluster)
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
    """Whether two members cannot both be served.

    Each must be known by addresses that the other neither is known by nor uses itself: by global ranges where it has
    any, else by those of its pods and Services. Global ranges that the implementation chooses overlap nothing.
    """
    return (
        meet(_claims(left), _claims(right))
        or meet(_claims(left), _in_use(right))
        or meet(_in_use(left), _claims(right))
    )


def _claims(cluster: ClusterSpec) -> tuple[IPNetwork, ...]:
    """Return the ranges by which other members know a cluster."""
    plain = (*cluster.pod_cidrs, *cluster.service_cidrs)
    return plain if cluster.global_cidrs is None else cluster.global_cidrs


def _in_use(cluster: ClusterSpec) -> tuple[IPNetwork, ...]:
    """Return the ranges that mean something inside a cluster."""
    return (*cluster.pod_cidrs, *cluster.service_cidrs, *cluster.node_cidrs)


def meet(one: Iterable[IPNetwork], other: Iterable[IPNetwork]) -> bool:
    """Say whether two lists of ranges have an address in common."""
    return any(a.version == b.version and a.overlaps(b) for a, b in product(one, other))


def _seen_as(
    client: ClusterSpec,
    server: ClusterSpec,
    members: frozenset[str],
    policy: Policy | None,
) -> SeenAs | None:
    """Return whose address a server sees, or None where nothing may arrive, whatever is addressed."""
    if client.name == server.name:
        return SeenAs.ITSELF
    if not {client.name, server.name} <= members:
        return None
    if policy is not None and not policy(client.name, server.name):
        return None
    if not client.shares_a_driver_with(server):
        return None
    return SeenAs.GLOBAL if client.is_translated else SeenAs.ITSELF


def _between(client: ClusterSpec, server: ClusterSpec, family: IPFamily, seen_as: SeenAs | None) -> Table:
    cells: Table = {}
    for origin, target, protocol in product(_sites(client), _sites(server), Protocol):
        if origin != target:
            seen = SeenAs.ANYONE if seen_as and protocol is Protocol.ICMP else seen_as
            cells[Cell(origin, target, Via.POD, family, protocol)] = Expectation(seen is not None, seen)
    return cells | _over_services(client, server, family, seen_as, by_global=False)


def _over_services(
    client: ClusterSpec, server: ClusterSpec, family: IPFamily, seen_as: SeenAs | None, *, by_global: bool
) -> Table:
    cells: Table = {}
    # A ClusterIP answers no ICMP: kube-proxy translates ports only; the suite's Services have none of SCTP.
    for origin, target, protocol in product(_sites(client), _sites(server), (Protocol.TCP, Protocol.UDP)):
        seen = SeenAs.ANYONE if origin == target else seen_as
        cell = Cell(origin, target, Via.SERVICE, family, protocol, by_global)
        cells[cell] = Expectation(seen is not None, seen)
    return cells


def across_clusters(table: Mapping[Cell, Expectation], via: Via, *protocols: Protocol) -> Table:
    """Return the cells between different clusters at the server's own addresses, by what the client asks and how."""
    return {
        cell: want
        for cell, want in table.items()
        if cell.client.cluster != cell.server.cluster
        and not cell.by_global
        and cell.via is via
        and cell.protocol in protocols
    }


def by_global_address(table: Mapping[Cell, Expectation], *protocols: Protocol) -> Table:
    """Return the cells in which a client addresses another cluster's Service by its global address."""
    return {cell: want for cell, want in table.items() if cell.by_global and cell.protocol in protocols}


def whoever_asks(table: Mapping[Cell, Expectation]) -> Table:
    """Return the same cells with reachability alone: for rows that leave the source address to another row."""
    return {cell: replace(want, seen_as=want.seen_as and SeenAs.ANYONE) for cell, want in table.items()}


def _sites(cluster: ClusterSpec) -> list[Site]:
    return [Site(cluster.name, node.name) for node in cluster.nodes]


def _satisfies(want: Expectation, got: Expectation) -> bool:
    if want.reachable != got.reachable:
        return False
    return want.seen_as in {None, SeenAs.ANYONE, got.seen_as}
