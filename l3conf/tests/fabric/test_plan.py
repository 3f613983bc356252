"""Laws of the plan: they hold for every topology, whatever its size and families."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address, ip_network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.fabric.elements import FabricPlan, NamespacePlan, mac_of
from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.plugins.pod_bridge import bridged_pod
from l3conf.errors import InvalidFileError
from l3conf.model.addressing import broker_address, pod_ranges
from l3conf.model.topology import IPAddress, IPNetwork, NetworkPlugin, Topology
from l3conf.tests.fabric.topologies import cluster, pair, six_only

topologies = st.builds(
    lambda nodes, dual: Topology(
        name="any",
        clusters=tuple(cluster(number, f"c{number}", nodes=count, dual=dual) for number, count in enumerate(nodes, 1)),
        wan_cidrs=pair(dual=dual).wan_cidrs,
    ),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.booleans(),
)


def addresses(plan: NamespacePlan) -> list[IPAddress]:
    return [address.interface.ip for address in plan.addresses]


def on_link(plan: NamespacePlan, address: IPAddress) -> bool:
    return any(address in own.interface.network for own in plan.addresses)


def next_hop(plan: NamespacePlan, destination: IPAddress) -> IPAddress | None:
    """Look a destination up as the kernel would: on-link first, then the longest prefix."""
    if on_link(plan, destination):
        return destination
    matching = [route for route in plan.routes if destination in route.destination]
    return max(matching, key=lambda route: route.destination.prefixlen).via if matching else None


def path(fabric: FabricPlan, key: str, destination: IPAddress) -> list[str]:
    """Follow next hops from a namespace until the destination's own; ends with ``-`` where no way goes on."""
    owners = {own: plan.key for plan in fabric.namespaces.values() for own in addresses(plan)}
    hops = [key]
    while destination not in addresses(fabric.namespaces[hops[-1]]):
        hop = next_hop(fabric.namespaces[hops[-1]], destination)
        if hop is None or hop not in owners or len(hops) > 10:
            return [*hops, "-"]
        hops.append(owners[hop])
    return hops


@given(topologies)
def test_no_address_is_given_twice(topology: Topology) -> None:
    given_out = [address for plan in plan_fabric(topology).namespaces.values() for address in addresses(plan)]
    assert len(given_out) == len(set(given_out))


@given(topologies)
def test_every_route_goes_through_a_neighbour_that_exists(topology: Topology) -> None:
    plans = plan_fabric(topology).namespaces.values()
    everyone = {address for plan in plans for address in addresses(plan)}
    for plan in plans:
        for route in plan.routes:
            if route.via is None:
                assert plan.key == "wan"
                continue
            assert on_link(plan, route.via), (plan.key, route)
            assert route.via in everyone - set(addresses(plan)), (plan.key, route)


@given(topologies)
def test_every_cable_ends_in_a_planned_namespace_and_names_fit_the_kernel(topology: Topology) -> None:
    plans = plan_fabric(topology).namespaces
    for plan in plans.values():
        ports = [cable.port for cable in plan.cables]
        indices = [cable.port_index for cable in plan.cables] + [bridge.index for bridge in plan.bridges]
        assert len(set(ports)) == len(ports)
        assert len(set(indices)) == len(indices)
        for cable in plan.cables:
            assert cable.to in plans
            assert 0 < len(cable.port) <= 15
            assert cable.master in {bridge.index for bridge in plan.bridges}


@given(topologies)
def test_all_hosts_reach_each_other_and_only_routers_and_nodes_forward(topology: Topology) -> None:
    fabric = plan_fabric(topology)
    underlay = [key for key in fabric.namespaces if key != "wan"]
    for one in underlay:
        for other in underlay:
            hops = path(fabric, one, addresses(fabric.namespaces[other])[0])
            assert hops[-1] == other, hops
            assert all(fabric.namespaces[hop].forwarding for hop in hops[1:-1]), hops


@given(topologies)
def test_the_wan_knows_no_pods_but_the_outsider_does(topology: Topology) -> None:
    fabric = plan_fabric(topology)
    for spec in topology.clusters:
        for index, node in enumerate(spec.nodes):
            bridge = [slice_.network_address + 1 for slice_ in pod_ranges(spec, index)]
            for address in bridge:
                assert path(fabric, "wan", address) == ["wan", "-"]
                router = f"router:{spec.name}"
                assert path(fabric, "@outsider", address) == ["@outsider", router, f"{spec.name}@{node.name}"]
                others = [other for other in topology.clusters if other is not spec]
                for other in others:
                    elsewhere = f"{other.name}@{other.nodes[0].name}"
                    assert path(fabric, elsewhere, address) == [elsewhere, f"router:{other.name}", "wan", "-"]


@given(topologies)
def test_links_on_one_segment_have_macs_of_their_own(topology: Topology) -> None:
    for plan in plan_fabric(topology).namespaces.values():
        macs = [cable.mac for cable in plan.cables] + [bridge.mac for bridge in plan.bridges]
        assert len(set(macs)) == len(macs)


def test_overlapping_pod_ranges_give_the_outsider_a_way_to_the_first_only() -> None:
    east, west = cluster(1, "east"), dataclasses.replace(cluster(2, "west"), pod_cidrs=(ip_network("10.1.0.0/16"),))
    fabric = plan_fabric(Topology(name="overlap", clusters=(east, west)))
    routes = [
        route for route in fabric.namespaces["@outsider"].routes if route.destination == ip_network("10.1.0.0/16")
    ]
    assert [route.via for route in routes] == [ip_address("192.0.2.10")]


def test_pods_of_a_family_that_the_lan_lacks_are_the_files_fault() -> None:
    six: tuple[IPNetwork, ...] = (ip_network("fd00::/48"),)
    broken = dataclasses.replace(cluster(1, "east"), pod_cidrs=six)
    with pytest.raises(InvalidFileError, match="IPv6 pods but its LAN has no IPv6"):
        plan_fabric(Topology(name="broken", clusters=(broken,)))


def test_a_pod_has_an_address_of_its_slice_and_knows_nobody_but_its_node() -> None:
    slices = (ip_network("10.1.2.0/24"), ip_network("fd00:1:0:2::/64"))
    network = bridged_pod(slices, 7, "uid")
    cable, pod = network.cable, network.namespace
    assert [str(address.interface) for address in pod.addresses] == ["10.1.2.7/32", "fd00:1:0:2::7/128"]
    assert [(str(route.destination), str(route.via)) for route in pod.routes] == [
        ("0.0.0.0/0", "10.1.2.1"),
        ("::/0", "fd00:1:0:2::1"),
    ]
    assert (cable.to, cable.name, pod.forwarding) == ("uid", "eth0", False)


def test_macs_are_local_unicast_and_differ_with_the_address() -> None:
    macs = [mac_of(ip_address(text)) for text in ("10.1.0.2", "10.2.0.2", "10.1.0.3", "fd00::2", "fd00::3")]
    assert all(mac[0] & 0b11 == 0b10 and len(mac) == 6 for mac in macs)
    assert all(one != other for one, other in combinations(macs, 2))


def test_members_find_the_broker_in_a_family_that_every_site_has() -> None:
    both = pair(dual=True)
    six = six_only(NetworkPlugin.BRIDGE).clusters
    assert str(broker_address(both)) == "192.0.2.2"
    assert str(broker_address(dataclasses.replace(both, clusters=six))) == "2001:db8::2"
    assert str(broker_address(dataclasses.replace(both, clusters=(both.clusters[0], six[1])))) == "2001:db8::2"
