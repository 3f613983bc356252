"""Routers, ways and faults of paths as they are decided; nodes as they were made."""

from __future__ import annotations

import pytest

from l3conf.errors import LabError
from l3conf.labs.kind import paths, site_routers
from l3conf.labs.kind.containers import full_name
from l3conf.labs.kind.members import as_made, member_server
from l3conf.labs.kind.naming import names_of
from l3conf.labs.kind.settings import KindSettings
from l3conf.model.faults import Cut, Delay, Loss, RateLimit
from l3conf.tests.kind.conftest import topology

MAC = "02:42:c0:00:02:0a"
CALICO = KindSettings(cni="calico", cni_manifests=("https://example.org/calico.yaml",))


def router(name: str, site: str) -> site_routers.RouterPlan:
    of = topology(name)
    return site_routers.router_plan(of, of.cluster(site), names_of(of, KindSettings(), "m:b:n"), {})


def test_a_router_behind_a_shared_address_is_on_its_owners_lan() -> None:
    east, west = router("shared-address", "east"), router("shared-address", "west")
    assert west.uplink_network == east.lan_network
    assert [str(each) for each in west.uplinks] == ["172.16.1.3"]
    assert "ip route replace 172.16.2.0/24 via 172.16.1.3" in site_routers.setup_script(east)
    assert "snat" in east.ruleset
    assert not west.ruleset


def test_nobody_on_the_wan_knows_a_way_to_lans_behind_nat() -> None:
    script = site_routers.wan_host_script(topology("shared-address"), to_pods=True)
    assert "172.16.1.0/24" not in script
    assert "172.16.2.0/24" not in script
    assert "ip route replace 172.16.3.0/24 via 192.0.2.12" in script
    assert "ip -4 route del default" in script


def test_small_links_are_known_on_both_sides() -> None:
    assert "ip link set wan mtu 1400" in site_routers.setup_script(router("small-mtu", "east"))
    west = site_routers.setup_script(router("small-mtu", "west"))
    assert "ip route replace 192.0.2.10/32 dev wan mtu 1400" in west
    assert "ip route replace 172.16.1.0/24 via 192.0.2.10 mtu 1400" in west


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (Cut(source="a", destination="b"), "drop"),
        (Loss(source="a", destination="b", share=0.25), "numgen random mod 1000000 < 250000 drop"),
        (Loss(source="a", destination="b", share=1), "drop"),
        (RateLimit(source="a", destination="b", bytes_per_second=5000), "limit rate over 5000 bytes/second"),
    ],
)
def test_paths_are_disturbed_by_sender(fault: Cut | Loss | RateLimit, rule: str) -> None:
    script = paths.at_receiver(fault, sender=MAC, table="l3conf-fault7")
    assert f"ether saddr {MAC} {rule}" in script.begin
    assert script.end == "nft delete table inet l3conf-fault7"


@pytest.mark.parametrize(
    "fault",
    [Loss(source="a", destination="b", share=1.5), RateLimit(source="a", destination="b", bytes_per_second=0)],
)
def test_faults_that_cannot_be_are_refused(fault: Loss | RateLimit) -> None:
    with pytest.raises(LabError, match="cannot be"):
        paths.at_receiver(fault, sender=MAC, table="t")


def test_a_delay_is_of_packets_to_one_receiver_alone() -> None:
    script = paths.at_sender(Delay(source="a", destination="b", seconds=0.25), receiver=MAC, link="wan")
    assert "netem limit 100000 delay 250ms" in script.begin
    assert script.begin.count(f"u32 match ether dst {MAC}") == 2
    with pytest.raises(LabError, match="a delay of 11 s cannot be"):
        paths.at_sender(Delay(source="a", destination="b", seconds=11), receiver=MAC, link="wan")


def test_settings_that_somebody_changed_meanwhile_are_not_put_back() -> None:
    back = paths.reverse_path_filter_back("/proc/sys/net/ipv4/conf/all/rp_filter 2\n", 1)
    assert '"$(cat /proc/sys/net/ipv4/conf/all/rp_filter)" != 1 ] || echo 2 >' in back


def node(name: str, *addresses: str) -> dict[str, object]:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDRs": ["10.1.1.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": each} for each in addresses]},
    }


def test_nodes_are_numbered_after_their_addresses() -> None:
    of = topology("nat-both-static")
    names = names_of(of, KindSettings(), "m:b:n")
    first, second = names.node("east", 0), names.node("east", 1)
    member = as_made(of.clusters[0], names, [node(first, "172.16.1.66"), node(second, "172.16.1.64")], "v1.33.1")
    assert [(each.name, each.number, each.gateway) for each in member.spec.nodes] == [
        (second, 54, False),
        (first, 56, True),
    ]
    assert {each.node for each in member.spec.site.port_maps} == {first}, "static maps lead to the same machine"


def test_nodes_that_are_not_as_they_are_to_be_end_the_lab() -> None:
    of = topology("two-clusters")
    names = names_of(of, KindSettings(), "m:b:n")
    nodes = [node(names.node("east", place), f"172.16.1.6{place}") for place in range(3)]
    with pytest.raises(LabError, match="kind made no node"):
        as_made(of.clusters[0], names, nodes[:2], "")
    with pytest.raises(LabError, match=r"172\.18\.0\.9: not one machine's"):
        as_made(of.clusters[0], names, [*nodes[:2], node(names.node("east", 2), "172.18.0.9")], "")
    with pytest.raises(LabError, match=r"has 192\.0\.2\.5, and is to have 192\.0\.2\.2"):
        member_server([node("b", "192.0.2.5")], of)


def test_images_have_the_names_that_containerd_gives_them() -> None:
    assert full_name("l3conf/probe:v1") == "docker.io/l3conf/probe:v1"
    assert full_name("ghcr.io/l3conf/probe:v1") == "ghcr.io/l3conf/probe:v1"
    assert full_name("busybox") == "docker.io/library/busybox:latest"
    assert full_name("localhost:5000/x") == "localhost:5000/x:latest"
