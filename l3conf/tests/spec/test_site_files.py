"""Files that say something impossible about a site are refused with one clear message each."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import InvalidFileError
from l3conf.model.public_addresses import is_hidden, port_maps, public_cluster, sharers
from l3conf.model.site import NATKind, PortMap, SiteSpec
from l3conf.spec.files import load_topology
from l3conf.tests.spec.test_topology_files import VALID, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from l3conf.model.topology import Topology

Sites = tuple[dict[str, Any], dict[str, Any]]
STATIC: dict[str, Any] = {"nat": "static", "portMaps": [{"external": 4500, "node": "east-1", "port": 4500}]}


def load(directory: Path, east: dict[str, Any], west: dict[str, Any]) -> Topology:
    data = copy.deepcopy(VALID)
    for cluster, site in zip(data["spec"]["clusters"], (east, west), strict=False):
        cluster["site"] = copy.deepcopy(site)
    return load_topology(write(directory, data))


def test_a_site_is_routed_unfiltered_ethernet_by_default(tmp_path: Path) -> None:
    topology = load_topology(write(tmp_path, VALID))
    assert {cluster.site for cluster in topology.clusters} == {SiteSpec()}
    assert not any(is_hidden(topology, cluster) for cluster in topology.clusters)


def test_what_a_file_says_about_a_site_becomes_values(tmp_path: Path) -> None:
    said = {**STATIC, "udpTimeoutSeconds": 5, "filterSources": True, "filterICMPErrors": True}
    east = load(tmp_path, {**said, "lanMTU": 1400, "wanMTU": 1280}, {}).cluster("east")
    assert east.site == SiteSpec(
        nat=NATKind.STATIC,
        port_maps=(PortMap(external=4500, node="east-1", port=4500),),
        udp_timeout=5,
        filter_sources=True,
        filter_icmp_errors=True,
        lan_mtu=1400,
        wan_mtu=1280,
    )


def test_sites_behind_one_address_are_hidden_together(tmp_path: Path) -> None:
    shared = {"publicAddressOf": "east", "portMaps": [{"external": 4501, "node": "west-1", "port": 4500}]}
    topology = load(tmp_path, STATIC, shared)
    east, west = topology.cluster("east"), topology.cluster("west")
    assert public_cluster(topology, west) is public_cluster(topology, east) is east
    assert sharers(topology, east) == (west,)
    assert is_hidden(topology, west)
    assert [(cluster.name, each.external) for cluster, each in port_maps(topology, east)] == [
        ("east", 4500),
        ("west", 4501),
    ]


def mapped(**change: object) -> dict[str, Any]:
    return {"nat": "static", "portMaps": [*STATIC["portMaps"], {**STATIC["portMaps"][0], **change}]}


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (({"nat": "symmetric"}, {}), "site.nat: 'symmetric' is not allowed (use one of"),
        (({"nat": "static"}, {}), "site.nat: 'static' needs portMaps (add some, or use endpoint-independent)"),
        (({"nta": "none"}, {}), "site.nta: unknown key (did you mean nat?)"),
        (({"lanMTU": 1200}, {}), "site.lanMTU"),
        (({"udpTimeoutSeconds": 5}, {}), "there is no NAT to forget mappings (choose a nat)"),
        (({"portMaps": STATIC["portMaps"]}, {}), "only a static NAT maps ports (set nat: static for east)"),
        ((mapped(node="east-9", external=1), {}), "portMaps[1].node: there is no node 'east-9' (use one of east-1"),
        ((mapped(port=1), {}), "portMaps[1].external: port 4500 of this public address is mapped already"),
        ((mapped(external=1), {}), "portMaps[1].port: port 4500 of east-1 is mapped already"),
        (({"publicAddressOf": "north"}, {}), "site.publicAddressOf: there is no cluster 'north' (use one of west)"),
        (({"publicAddressOf": "east"}, {}), "'east' is this cluster itself"),
        (({}, {"publicAddressOf": "east"}), "the site of 'east' does no NAT, so its address cannot be shared"),
        (({"publicAddressOf": "west"}, {"publicAddressOf": "east"}), "'west' has no public address of its own"),
        ((STATIC, {"publicAddressOf": "east", "nat": "static"}), "clusters[1].site.nat: is decided by 'east'"),
        ((STATIC, {"publicAddressOf": "east", "wanMTU": 1400}), "clusters[1].site.wanMTU: is decided by 'east'"),
        (
            (STATIC, {"publicAddressOf": "east", "portMaps": [{"external": 4500, "node": "west-1", "port": 4500}]}),
            "clusters[1].site.portMaps[0].external: port 4500 of this public address is mapped already",
        ),
    ],
)
def test_an_impossible_site_is_refused_with_its_remedy(tmp_path: Path, sites: Sites, message: str) -> None:
    with pytest.raises(InvalidFileError) as refused:
        load(tmp_path, *sites)
    assert message in str(refused.value)


def overcrowded(data: dict[str, Any]) -> None:
    first = data["spec"]["clusters"][0]
    first["site"] = {"nat": "endpoint-independent"}
    data["spec"]["clusters"][1:] = [
        {
            **copy.deepcopy(first),
            "name": f"c{number}",
            "nodeCIDRs": [f"172.17.{number}.0/24"],
            "site": {"publicAddressOf": first["name"]},
        }
        for number in range(8)
    ]


def lan_without_ipv4(data: dict[str, Any]) -> None:
    data["spec"]["clusters"][0].update(
        site={"nat": "endpoint-independent"},
        nodeCIDRs=["fd01::/64"],
        podCIDRs=["fd00::/48"],
        serviceCIDRs=["fd02::/112"],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (overcrowded, "more than 7 sites share the address of 'east'"),
        (lan_without_ipv4, "site.nat: translates IPv4, but the LAN has none"),
    ],
)
def test_a_nat_that_nothing_fits_behind_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    data = copy.deepcopy(VALID)
    change(data)
    with pytest.raises(InvalidFileError) as refused:
        load_topology(write(tmp_path, data))
    assert message in str(refused.value)
