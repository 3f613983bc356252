"""For which topologies clusters can stand."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from l3conf.errors import LabIncapableError
from l3conf.labs.existing.found import FoundCluster
from l3conf.labs.existing.matching import stand_for
from l3conf.model.topology import IPFamily, NodeSpec, Topology
from l3conf.observation import Protocol
from l3conf.oracle import Via, accepted, across_clusters, expected
from l3conf.spec.files import load_topology

TOPOLOGIES = Path(__file__).parents[3] / "topologies"


def topology(name: str) -> Topology:
    return load_topology(TOPOLOGIES / f"{name}.yaml")


def cluster(number: int, *, name: str = "", pods: str = "", services: str = "", workers: int = 1) -> FoundCluster:
    gateway, *rest = (f"n{index}" for index in range(1 + workers))
    return FoundCluster(
        context=f"prod-{number}",
        name=name,
        nodes=(NodeSpec(name=gateway, gateway=True), *(NodeSpec(name=each) for each in rest)),
        pod_cidrs=tuple(map(ip_network, (pods or f"10.{number}.0.0/16").split(","))),
        service_cidrs=tuple(map(ip_network, (services or f"10.10{number}.0.0/16").split(","))),
        node_addresses={gateway: (ip_address(f"172.18.0.{number}"),)},
    )


DUAL = [
    cluster(n, pods=f"10.{n}.0.0/16,fd0{n}::/48", services=f"10.10{n}.0.0/16,fd1{n}::/108", workers=2) for n in (1, 2)
]


def reason(name: str, *found: FoundCluster, installed: bool = False) -> str:
    with pytest.raises(LabIncapableError, match=f"the topology {name}") as refused:
        stand_for(topology(name), found, installed=installed)
    return str(refused.value)


def test_two_plain_clusters_stand_for_two_clusters_under_the_names_of_the_scenarios() -> None:
    stands = stand_for(topology("two-clusters"), [cluster(7), cluster(8)], installed=False)
    assert stands.name == "two-clusters"
    assert [each.name for each in stands.clusters] == ["east", "west"]
    assert [node.name for node in stands.clusters[0].nodes] == ["n0", "n1"]
    assert stands.clusters[1].pod_cidrs == (ip_network("10.8.0.0/16"),)
    assert stands.clusters[0].node_cidrs == (ip_network("172.18.0.7/32"),)


def test_nodes_of_one_network_make_no_two_clusters_overlap() -> None:
    stands = stand_for(topology("two-clusters"), [cluster(1), cluster(2)], installed=False)
    assert accepted(stands, ["east", "west"]) == ("east", "west")
    table = across_clusters(expected(stands, joined=["east", "west"]), Via.POD, Protocol.TCP)
    assert len(table) == 2 * 2 * 2
    assert all(want.reachable for want in table.values())


@pytest.mark.parametrize(
    ("names", "installed", "called"),
    [
        (("", ""), False, ["east", "west"]),
        (("", ""), True, ["prod-1", "prod-2"]),
        (("b", "a"), False, ["b", "a"]),
        (("b", "a"), True, ["b", "a"]),
    ],
)
def test_members_that_stand_keep_the_names_that_they_joined_under(
    names: tuple[str, str], called: list[str], *, installed: bool
) -> None:
    found = [cluster(1, name=names[0]), cluster(2, name=names[1])]
    stands = stand_for(topology("two-clusters"), found, installed=installed)
    assert [each.name for each in stands.clusters] == called


def test_a_ground_with_both_families_stands_for_topologies_of_one_and_of_both() -> None:
    families = {
        name: [each.families for each in stand_for(topology(name), DUAL, installed=False).clusters]
        for name in ("two-clusters", "v6-only", "dual-stack")
    }
    assert families["two-clusters"] == [(IPFamily.IPV4,)] * 2
    assert families["v6-only"] == [(IPFamily.IPV6,)] * 2
    assert {len(each) for each in families["dual-stack"]} == {2}


def test_a_missing_family_is_named() -> None:
    assert "pods have no IPv6" in reason("dual-stack", cluster(1, workers=2), cluster(2, workers=2))


def test_the_number_of_clusters_is_compared() -> None:
    assert "has 2 clusters, and 3 are given" in reason("two-clusters", cluster(1), cluster(2), cluster(3))


def test_nodes_off_the_gateways_are_asked_for_where_the_file_has_them() -> None:
    assert "no node off the gateways" in reason("two-clusters", cluster(1), cluster(2, workers=0))
    assert "1 gateway nodes of 2" in reason("two-gateways", cluster(1, workers=3), cluster(2, workers=3))


def test_ranges_have_to_overlap_exactly_where_the_file_has_them_overlap() -> None:
    same = [cluster(1, pods="10.0.0.0/16"), cluster(2, pods="10.0.128.0/17")]
    assert "partly the same, and are to be apart" in reason("two-clusters", *same)


@pytest.mark.parametrize("name", ["nat-one-side", "filtered-cloud", "small-mtu"])
def test_what_stands_between_sites_cannot_be_known(name: str) -> None:
    found = [cluster(n, workers=2) for n, _ in enumerate(topology(name).clusters, start=1)]
    assert "cannot be known" in reason(name, *found)


def test_what_installed_members_were_told_is_not_for_scenarios_to_choose() -> None:
    wanted = topology("two-clusters")
    told = replace(wanted, clusters=tuple(replace(each, cable_drivers=(1,)) for each in wanted.clusters))
    found = [cluster(1), cluster(2)]
    assert stand_for(told, found, installed=False).clusters[0].cable_drivers == (1,)
    with pytest.raises(LabIncapableError, match="cable drivers"):
        stand_for(told, found, installed=True)
