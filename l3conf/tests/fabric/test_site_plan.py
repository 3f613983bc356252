"""Laws of sites: they hold for every mixture of NATs, shared addresses and link sizes."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.relay import is_relayed
from l3conf.model.addressing import node_addresses
from l3conf.model.public_addresses import is_hidden, public_cluster, without_reachable_pods
from l3conf.model.site import NATKind, SiteSpec
from l3conf.model.topology import ClusterSpec, IPFamily, Topology
from l3conf.tests.fabric.test_plan import path
from l3conf.tests.fabric.topologies import cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = [NATKind.NONE, NATKind.ENDPOINT_INDEPENDENT, NATKind.ADDRESS_AND_PORT_DEPENDENT]


def topology(sites: Sequence[SiteSpec | None]) -> Topology:
    """Return a first cluster behind NAT and others on these sites; None shares the first one's address."""
    shared = SiteSpec(public_address_of="c1")
    placed = [SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT), *(site or shared for site in sites)]
    clusters = tuple(
        dataclasses.replace(cluster(number, f"c{number}", nodes=2), site=site) for number, site in enumerate(placed, 1)
    )
    return Topology(name="any", clusters=clusters, wan_cidrs=(ip_network("192.0.2.0/24"),))


sites = st.builds(SiteSpec, nat=st.sampled_from(KINDS), wan_mtu=st.sampled_from([1280, 1400, 1500]))
topologies = st.lists(st.one_of(st.none(), sites), max_size=4).map(topology)


def together(whole: Topology, one: ClusterSpec, other: ClusterSpec) -> bool:
    return public_cluster(whole, one) is public_cluster(whole, other)


@given(topologies)
def test_a_node_is_routed_to_from_another_site_exactly_if_no_nat_hides_it(whole: Topology) -> None:
    fabric = plan_fabric(whole)
    for target in whole.clusters:
        address = node_addresses(target, 0)[0]
        for source in whole.clusters:
            if source is not target:
                end = path(fabric, f"{source.name}@{source.name}-1", address)[-1]
                reached = end == f"{target.name}@{target.name}-1"
                assert reached is (together(whole, source, target) or not is_hidden(whole, target))


@given(topologies)
def test_every_node_has_a_way_to_the_broker_through_the_router_of_its_public_address(whole: Topology) -> None:
    fabric = plan_fabric(whole)
    for each in whole.clusters:
        hops = path(fabric, f"{each.name}@{each.name}-2", ip_address("192.0.2.2"))
        assert hops[-2:] == [f"router:{public_cluster(whole, each).name}", "broker"]


@given(topologies)
def test_ports_and_addresses_of_a_segment_are_one_hosts_alone(whole: Topology) -> None:
    for plan in plan_fabric(whole).namespaces.values():
        for names in ([each.port for each in plan.cables], [each.port_index for each in plan.cables]):
            assert len(names) == len(set(names))
        macs = [(each.master, each.mac) for each in plan.cables]
        assert len(macs) == len(set(macs))


IPV4, IPV6, ARP = (kind.to_bytes(2) for kind in (0x0800, 0x86DD, 0x0806))


def test_nobody_outside_begins_a_flow_to_pods_behind_nat_or_to_those_whose_range_another_site_has() -> None:
    pods = cluster(2, "c2", nodes=1).pod_cidrs
    again = dataclasses.replace(cluster(3, "c3", nodes=2), pod_cidrs=pods)
    whole = topology([SiteSpec()])
    whole = dataclasses.replace(whole, clusters=(*whole.clusters, again))
    assert without_reachable_pods(whole, IPFamily.IPV4) == {"c1", "c3"}
    assert without_reachable_pods(whole, IPFamily.IPV6) == frozenset()


@pytest.mark.parametrize(
    ("frame", "relayed"),
    [
        (bytes(12) + IPV4 + bytes(40), True),
        (bytes(12) + ARP + bytes(40), False),
        (bytes(12) + IPV6 + bytes(6) + bytes([17]) + bytes(60), True),
        (bytes(12) + IPV6 + bytes(6) + bytes([58]) + bytes(33) + bytes([128]), True),
        (bytes(12) + IPV6 + bytes(6) + bytes([58]) + bytes(33) + bytes([135]), False),
        (bytes(12) + IPV6 + bytes(10), True),
    ],
)
def test_a_relay_takes_ip_but_leaves_neighbours_to_find_each_other(frame: bytes, relayed: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_relayed(frame) is relayed
