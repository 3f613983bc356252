from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.model.topology import ClusterSpec, NodeSpec, Topology
from l3conf.observation import Protocol
from l3conf.oracle import (
    TRANSLATED,
    Expectation,
    SeenAs,
    Site,
    Table,
    Via,
    across_clusters,
    compare,
    expected,
    whoever_asks,
)

NAMES = ("a", "b", "c")


def cluster(index: int, *, nodes: int = 2, like: int | None = None) -> ClusterSpec:
    ranges = index if like is None else like
    return ClusterSpec(
        name=NAMES[index],
        pod_cidrs=(IPv4Network(f"10.{ranges}.0.0/16"),),
        service_cidrs=(IPv4Network(f"10.{100 + ranges}.0.0/16"),),
        node_cidrs=(IPv4Network(f"172.16.{index}.0/24"),),
        nodes=tuple(NodeSpec(name=f"n{number}", gateway=number == 0) for number in range(nodes)),
    )


def topologies() -> st.SearchStrategy[Topology]:
    """Three clusters of one to three nodes; the last may repeat the ranges of the first."""
    return st.builds(
        lambda sizes, repeat: Topology(
            name="t",
            clusters=(
                cluster(0, nodes=sizes[0]),
                cluster(1, nodes=sizes[1]),
                cluster(2, nodes=sizes[2], like=0 if repeat else None),
            ),
        ),
        st.tuples(*[st.integers(1, 3)] * 3),
        st.booleans(),
    )


members = st.sets(st.sampled_from(NAMES))
pairs = st.sets(st.sampled_from([frozenset(pair) for pair in combinations(NAMES, 2)]))


def mirrored(table: Table) -> Table:
    return {replace(cell, client=cell.server, server=cell.client): want for cell, want in table.items()}


@given(topologies(), members, pairs)
def test_reachability_is_symmetric(topology: Topology, joined: set[str], allowed: set[frozenset[str]]) -> None:
    table = expected(topology, joined=joined, policy=lambda a, b: frozenset({a, b}) in allowed)
    assert mirrored(table) == table


@given(topologies(), members, members)
def test_local_cells_do_not_depend_on_membership(topology: Topology, one: set[str], other: set[str]) -> None:
    def local(joined: set[str]) -> Table:
        table = expected(topology, joined=joined)
        return {cell: want for cell, want in table.items() if cell.client.cluster == cell.server.cluster}

    assert local(one) == local(other)
    assert all(want.reachable for want in local(one).values())


@given(topologies(), members)
def test_a_cluster_that_has_not_joined_reaches_no_other(topology: Topology, joined: set[str]) -> None:
    for cell, want in expected(topology, joined=joined).items():
        if cell.client.cluster != cell.server.cluster and not {cell.client.cluster, cell.server.cluster} <= joined:
            assert want == Expectation(reachable=False)


@given(topologies(), members)
def test_joining_opens_cells_and_closes_none(topology: Topology, joined: set[str]) -> None:
    before = expected(topology, joined=joined)
    after = expected(topology, joined=[*joined, *(name for name in NAMES if name not in joined)])
    assert before.keys() == after.keys()
    assert all(after[cell] == want for cell, want in before.items() if want.reachable)


@given(topologies(), pairs)
def test_a_pair_connects_exactly_if_policy_allows_it(topology: Topology, allowed: set[frozenset[str]]) -> None:
    plain = expected(topology, joined=NAMES)
    ruled = expected(topology, joined=NAMES, policy=lambda a, b: frozenset({a, b}) in allowed)
    for cell, want in ruled.items():
        ends = frozenset({cell.client.cluster, cell.server.cluster})
        assert want == (plain[cell] if len(ends) == 1 or ends in allowed else Expectation(reachable=False))


def test_overlapping_clusters_reach_each_other_by_global_addresses_only_where_that_is_declared() -> None:
    topology = Topology(name="t", clusters=(cluster(0), cluster(2, like=0)))
    undeclared = expected(topology, joined=NAMES)
    declared = expected(topology, joined=NAMES, features={TRANSLATED})
    across = [cell for cell in declared if cell.client.cluster != cell.server.cluster]
    assert {undeclared[cell] for cell in across} == {Expectation(reachable=False)}
    assert {declared[cell].seen_as for cell in across if cell.protocol is Protocol.TCP} == {SeenAs.GLOBAL}


def test_whoever_overlaps_an_incumbent_reaches_nobody() -> None:
    topology = Topology(name="t", clusters=(cluster(0), cluster(1), cluster(2, like=0)))
    for order, accepted in ((("a", "b", "c"), {"a", "b"}), (("c", "b", "a"), {"b", "c"}), (("a", "c"), {"a"})):
        table = expected(topology, joined=order)
        reached = {(cell.client.cluster, cell.server.cluster) for cell, want in table.items() if want.reachable}
        assert {pair for pair in reached if pair[0] != pair[1]} == {
            (one, other) for one in accepted for other in accepted if one != other
        }


def test_the_table_of_two_members_has_every_cell_once() -> None:
    table = expected(Topology(name="t", clusters=(cluster(0), cluster(1))), joined=NAMES)
    pods = across_clusters(table, Via.POD, *Protocol)
    services = across_clusters(table, Via.SERVICE, *Protocol)
    # 2 directions, 2 x 2 placements; four protocols to pods, two to Services.
    assert (len(pods), len(services)) == (2 * 4 * 4, 2 * 4 * 2)
    assert {want.seen_as for cell, want in pods.items() if cell.protocol is Protocol.ICMP} == {SeenAs.ANYONE}
    assert {want.seen_as for cell, want in pods.items() if cell.protocol is not Protocol.ICMP} == {SeenAs.ITSELF}
    assert {want.seen_as for want in services.values()} == {SeenAs.ITSELF}
    assert {want.seen_as for want in whoever_asks(pods).values()} == {SeenAs.ANYONE}


def test_a_pod_that_calls_itself_through_a_service_may_be_seen_as_anyone() -> None:
    table = expected(Topology(name="t", clusters=(cluster(0),)), joined=())
    hairpins = [cell for cell in table if cell.client == cell.server]
    assert {cell.via for cell in hairpins} == {Via.SERVICE}
    assert {table[cell].seen_as for cell in hairpins} == {SeenAs.ANYONE}


def test_a_cell_that_nobody_observed_is_a_difference() -> None:
    table = expected(Topology(name="t", clusters=(cluster(0, nodes=2),)), joined=())
    cell = next(cell for cell in table if cell.via is Via.POD and cell.protocol is Protocol.TCP)
    seen = {other: (want, "as expected") for other, want in table.items() if other != cell}
    (difference,) = compare(table, seen)
    assert str(difference) == (
        "tcp IPv4 a/n0 -> a/n1: arrives, seen as its own address; observed: nothing was observed"
    )


@given(topologies(), members, st.data())
def test_a_wrong_cell_is_the_only_difference(topology: Topology, joined: set[str], data: st.DataObject) -> None:
    table = expected(topology, joined=joined)
    wrong = data.draw(st.sampled_from(list(table)))
    lie = Expectation(reachable=not table[wrong].reachable, seen_as=None if table[wrong].reachable else SeenAs.ITSELF)
    seen = {cell: (lie if cell == wrong else want, "") for cell, want in table.items()}
    assert [difference.cell for difference in compare(table, seen)] == [wrong]


def test_a_rewritten_source_is_a_difference() -> None:
    table = expected(Topology(name="t", clusters=(cluster(0), cluster(1))), joined=NAMES)
    masqueraded = {cell: (Expectation(reachable=True, seen_as=SeenAs.ANYONE), "seen as gateway") for cell in table}
    differing = compare(table, masqueraded)
    assert {difference.expected.seen_as for difference in differing} == {SeenAs.ITSELF}
    assert Site("a", "n0") in {difference.cell.client for difference in differing}


def test_clusters_without_a_common_cable_driver_do_not_reach_each_other() -> None:
    both, first, second = (
        replace(cluster(index), cable_drivers=drivers) for index, drivers in enumerate(((0, 1), (0,), (1,)))
    )
    table = expected(Topology(name="t", clusters=(both, first, second)), joined=NAMES)
    reached = {(cell.client.cluster, cell.server.cluster) for cell, want in table.items() if want.reachable}
    assert {frozenset(pair) for pair in reached if len(set(pair)) > 1} == {frozenset("ab"), frozenset("ac")}
