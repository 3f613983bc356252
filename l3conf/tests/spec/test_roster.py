"""Nodes that come and go move nobody else."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.errors import UserError
from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.roster import cluster_of, with_node, without_node
from l3conf.model.site import NATKind, PortMap, SiteSpec
from l3conf.model.topology import ClusterSpec, NodeSpec, Topology

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress, IPNetwork

EAST = ClusterSpec(
    name="east",
    pod_cidrs=(ip_network("10.1.0.0/16"), ip_network("fd10:1::/56")),
    service_cidrs=(ip_network("10.101.0.0/16"),),
    node_cidrs=(ip_network("172.16.1.0/24"), ip_network("fd01:1::/64")),
    nodes=(NodeSpec(name="east-1", gateway=True), NodeSpec(name="east-2"), NodeSpec(name="east-3")),
)


def topology(**changes: object) -> Topology:
    return Topology(name="one", clusters=(replace(EAST, **changes),))  # type: ignore[arg-type]


def whereabouts(of: Topology) -> dict[str, tuple[tuple[IPAddress, ...], tuple[IPNetwork, ...]]]:
    """Return addresses and slices by node."""
    cluster = of.clusters[0]
    return {
        node.name: (node_addresses(cluster, number), pod_ranges(cluster, number))
        for number, node in cluster.numbered_nodes
    }


def test_a_new_node_is_named_numbered_and_addressed_as_one_of_the_file_would_be() -> None:
    grown = with_node(topology(), "east", NodeSpec(name=""), departed={})
    assert whereabouts(grown) == whereabouts(topology(nodes=(*EAST.nodes, NodeSpec(name="east-4"))))


def test_a_node_that_comes_back_has_its_number_and_a_stranger_has_not() -> None:
    left = without_node(topology(), "east", "east-2")
    again = with_node(left, "east", NodeSpec(name="east-2"), departed={"east-2": 1})
    assert whereabouts(again) == whereabouts(topology())
    stranger = with_node(left, "east", NodeSpec(name=""), departed={"east-2": 1, "east-4": 3})
    assert cluster_of(stranger, "east").number_of("east-5") == 4


@given(st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=12))
def test_whoever_stays_keeps_addresses_and_slices_and_nobody_shares_any(steps: list[int | None]) -> None:
    """A step is a node that comes, or the place of one that goes."""
    now, departed, ever = topology(), dict[str, int](), whereabouts(topology())
    for step in steps:
        cluster = now.clusters[0]
        if step is None:
            now = with_node(now, "east", NodeSpec(name=""), departed=departed)
        elif step < len(cluster.nodes) > 1:
            name = cluster.nodes[step].name
            departed[name] = cluster.number_of(name)
            now = without_node(now, "east", name)
        ever = whereabouts(now) | ever
        assert whereabouts(now).items() <= ever.items()
    taken = [one for addresses, slices in ever.values() for one in (*addresses, *slices)]
    assert len(taken) == len({*taken})


def test_pod_ranges_that_were_cut_for_so_many_have_no_slice_for_one_more() -> None:
    small = topology(pod_cidrs=(ip_network("10.1.0.0/26"),))
    grown = with_node(small, "east", NodeSpec(name=""), departed={})  # three nodes leave a fourth slice over
    assert pod_ranges(grown.clusters[0], 3) == (ip_network("10.1.0.48/28"),)
    with pytest.raises(UserError, match="has no slice number 4: it was divided for 3 nodes"):
        with_node(grown, "east", NodeSpec(name=""), departed={})


@pytest.mark.parametrize(
    ("changes", "name", "complaint"),
    [
        ({}, "east-2", "has a node east-2 already"),
        ({}, "East", "is no name for a node"),
        ({"node_cidrs": (ip_network("172.16.1.0/28"),)}, "", None),
        ({"node_cidrs": (ip_network("10.1.3.0/24"),), "pod_cidrs": EAST.pod_cidrs[:1]}, "", "overlaps the LAN"),
    ],
)
def test_a_node_without_a_place_is_refused(changes: dict[str, object], name: str, complaint: str | None) -> None:
    if complaint is None:  # .10 to .14 are five nodes; .15 is the broadcast address
        grown = topology(**changes)
        for _ in range(2):
            grown = with_node(grown, "east", NodeSpec(name=""), departed={})
        with pytest.raises(UserError, match="no address left"):
            with_node(grown, "east", NodeSpec(name=""), departed={})
        return
    with pytest.raises(UserError, match=complaint):
        with_node(topology(**changes), "east", NodeSpec(name=name), departed={})


def test_a_node_that_cannot_go_is_refused() -> None:
    with pytest.raises(UserError, match="no node 'east-9'"):
        without_node(topology(), "east", "east-9")
    with pytest.raises(UserError, match="no cluster 'west'"):
        without_node(topology(), "west", "west-1")
    with pytest.raises(UserError, match="last node"):
        without_node(topology(nodes=EAST.nodes[:1]), "east", "east-1")
    mapped = SiteSpec(nat=NATKind.STATIC, port_maps=(PortMap(external=4500, node="east-1", port=4500),))
    with pytest.raises(UserError, match="static map"):
        without_node(topology(site=mapped), "east", "east-1")
