from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.model.topology import ClusterSpec, NodeSpec, Topology
from l3conf.observation import Protocol
from l3conf.oracle import (
    Expectation,
    SeenAs,
    Site,
    Table,
    Via,
    accepted,
    across_clusters,
    by_global_address,
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


def translated(spec: ClusterSpec, *ranges: str) -> ClusterSpec:
    return replace(spec, global_cidrs=tuple(map(IPv4Network, ranges)))


def seen(table: Table) -> set[SeenAs | None]:
    return {want.seen_as for want in table.values()}


def test_clusters_with_the_same_ranges_reach_each_other_by_global_addresses_alone() -> None:
    twins = (translated(cluster(0)), translated(cluster(2, like=0)))
    table = expected(Topology(name="t", clusters=twins), joined=NAMES)
    for via in Via:
        assert seen(across_clusters(table, via, *Protocol)) == {None}
    services = by_global_address(table, *Protocol)
    assert seen(services) == {SeenAs.GLOBAL}
    # 2 directions, 2 x 2 placements, two protocols.
    assert len(services) == 2 * 4 * 2
    assert str(next(iter(services))) == "tcp IPv4 a/n0 -> c/n0 via its global address"


def test_who_has_no_global_addresses_is_reached_at_its_own_by_whoever_does_not_use_them() -> None:
    topology = Topology(name="t", clusters=(translated(cluster(0)), cluster(1)))
    table = expected(topology, joined=NAMES)
    outwards = {cell: want for cell, want in table.items() if cell.client.cluster == "a" != cell.server.cluster}
    assert seen(across_clusters(outwards, Via.POD, Protocol.TCP, Protocol.UDP)) == {SeenAs.GLOBAL}
    assert seen(across_clusters(outwards, Via.SERVICE, Protocol.TCP)) == {SeenAs.GLOBAL}
    assert by_global_address(outwards, *Protocol) == {}
    inwards = {cell: want for cell, want in table.items() if cell.client.cluster == "b" != cell.server.cluster}
    assert seen(across_clusters(inwards, Via.POD, *Protocol)) == {None}
    assert seen(by_global_address(inwards, *Protocol)) == {SeenAs.ITSELF}


def test_there_are_no_cells_for_global_addresses_of_a_cluster_that_has_none() -> None:
    topology = Topology(name="t", clusters=(translated(cluster(0)), translated(cluster(1))))
    assert by_global_address(expected(topology, joined=()), *Protocol) == {}
    one = by_global_address(expected(topology, joined=("a",)), *Protocol)
    assert {(cell.server.cluster, want.reachable) for cell, want in one.items()} == {("a", False)}
    ruled = by_global_address(expected(topology, joined=NAMES, policy=lambda _a, _b: False), *Protocol)
    assert seen(ruled) == {None}


def test_local_cells_of_a_cluster_with_global_addresses_are_as_ever() -> None:
    topology = Topology(name="t", clusters=(cluster(0),))
    local = expected(topology, joined=())
    assert expected(replace(topology, clusters=(translated(cluster(0)),)), joined=NAMES) == local


@pytest.mark.parametrize(
    ("newcomer", "members_then"),
    [
        (translated(cluster(2)), "abc"),
        (translated(cluster(2, like=1)), "ab"),
        (translated(cluster(2, like=0)), "abc"),
        (translated(cluster(2), "100.64.2.0/24"), "abc"),
        (cluster(2, like=0), "ab"),
        (translated(cluster(2), "10.1.192.0/20"), "ab"),
        (translated(cluster(2), "10.101.0.0/24"), "ab"),
        (translated(cluster(2), "10.0.0.0/24"), "ab"),
        (translated(cluster(2), "100.64.0.128/25"), "ab"),
        (translated(cluster(2), "172.16.1.0/24"), "ab"),
        (translated(cluster(2), "172.16.0.0/24"), "ab"),
        (translated(cluster(2), "10.102.0.0/24"), "ab"),
    ],
    ids=[
        "ranges of its own",
        "it uses the ranges of a plain one",
        "it uses the ranges of a translated one",
        "a global range of its own",
        "known by the ranges that a translated one uses",
        "global in pods of a plain one",
        "global in services of a plain one",
        "global in pods of a translated one",
        "global in a global range",
        "global in the LAN of a plain one",
        "global in the LAN of a translated one",
        "global in its own services",
    ],
)
def test_a_newcomer_is_accepted_if_each_is_known_by_what_the_other_does_not_use(
    newcomer: ClusterSpec, members_then: str
) -> None:
    incumbents = (translated(cluster(0), "100.64.0.0/24"), cluster(1))
    topology = Topology(name="t", clusters=(*incumbents, newcomer))
    assert accepted(topology, NAMES) == tuple(members_then)


def test_whoever_overlaps_an_incumbent_reaches_nobody() -> None:
    topology = Topology(name="t", clusters=(cluster(0), cluster(1), cluster(2, like=0)))
    for order, taken in ((("a", "b", "c"), {"a", "b"}), (("c", "b", "a"), {"b", "c"}), (("a", "c"), {"a"})):
        table = expected(topology, joined=order)
        reached = {(cell.client.cluster, cell.server.cluster) for cell, want in table.items() if want.reachable}
        assert {pair for pair in reached if pair[0] != pair[1]} == {
            (one, other) for one in taken for other in taken if one != other
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
