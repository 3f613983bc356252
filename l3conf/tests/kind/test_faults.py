"""Faults of paths, NATs and links on a ground of stubs: where which script runs, and what takes it back."""

from __future__ import annotations

from contextlib import closing
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError, LabIncapableError
from l3conf.model.api_faults import EventsLate
from l3conf.model.faults import (
    AddressChange,
    Cut,
    Delay,
    LinkDown,
    Loss,
    NATRebinding,
    NATReboot,
    NodeAddressChange,
    ReversePathFilter,
)
from l3conf.tests.kind.faulty import scripts

if TYPE_CHECKING:
    from l3conf.labs.kind.ground import Ground
    from l3conf.labs.kind.inflict import Faults
    from l3conf.tests.kind.conftest import Bench


def test_a_path_is_cut_where_it_ends_by_the_senders_router(bench: Bench, ground: Ground, faults: Faults) -> None:
    east, west = (ground.names.router(site) for site in ("east", "west"))
    mac = bench.engine.containers[east].networks[ground.names.wan]["MacAddress"]
    with faults.in_force(Cut(source="east", destination="west")):
        (begun,) = scripts(bench, west)
        assert f"ether saddr {mac} drop" in begun
    assert scripts(bench, west)[1] == "nft delete table inet l3conf-fault0"
    assert scripts(bench, east) == [], "one direction only"


def test_broker_and_outsider_are_ends_of_paths_too(bench: Bench, ground: Ground, faults: Faults) -> None:
    with faults.in_force(Loss(source="outsider", destination="broker", share=0.5)):
        (begun,) = scripts(bench, f"{ground.names.broker}-control-plane")
        assert "numgen random mod 1000000 < 500000 drop" in begun


def test_faults_are_taken_back_when_a_test_fails(bench: Bench, ground: Ground, faults: Faults) -> None:
    with pytest.raises(AssertionError), faults.in_force(Cut(source="east", destination="west")):
        raise AssertionError
    assert "delete table" in scripts(bench, ground.names.router("west"))[-1]
    with faults.in_force(Cut(source="east", destination="west")):
        pass


def test_the_same_fault_is_not_begun_twice(faults: Faults) -> None:
    with faults.in_force(Cut(source="east", destination="west")):
        with (
            pytest.raises(LabError, match="in force there already"),
            faults.in_force(Cut(source="east", destination="west")),
        ):
            pass
        with faults.in_force(Cut(source="west", destination="east")):
            pass


def test_sites_that_are_not_there_are_refused(faults: Faults) -> None:
    with (
        pytest.raises(LabError, match="there is no such site"),
        faults.in_force(Cut(source="east", destination="north")),
    ):
        pass


def test_a_kernel_without_netem_makes_delays_untestable(faults: Faults) -> None:
    with (
        pytest.raises(LabIncapableError, match=r"cannot delay packets.*qdisc kind is unknown"),
        faults.in_force(Delay(source="east", destination="west", seconds=0.1)),
    ):
        pass


@pytest.mark.parametrize(
    "fault",
    [
        NodeAddressChange(cluster="east", node="x", address=ip_address("172.16.1.200")),
        EventsLate(cluster="east", seconds=1.0),
    ],
)
def test_what_docker_has_no_means_for_is_untestable(faults: Faults, fault: Any) -> None:  # noqa: ANN401 - any fault
    with pytest.raises(LabIncapableError, match=f"the kind lab has no {type(fault).__name__}"), faults.in_force(fault):
        pass


def test_a_nat_that_forgets_chooses_other_ports(bench: Bench, ground: Ground, faults: Faults) -> None:
    with faults.in_force(NATRebinding(site="east")):
        pass
    with faults.in_force(NATRebinding(site="east")):
        pass
    first, second = scripts(bench, ground.names.router("east"))
    assert first.endswith("conntrack -F")
    assert first != second, "another seed"


def test_a_nat_reboots_without_mappings(bench: Bench, ground: Ground, faults: Faults) -> None:
    with faults.in_force(NATReboot(site="east")):
        assert "policy drop" in scripts(bench, ground.names.router("east"))[0]
    _, forgotten, lit = scripts(bench, ground.names.router("east"))
    assert "conntrack -F" in forgotten
    assert lit == "nft delete table inet l3conf-reboot"


def test_a_public_address_changes_and_comes_back(bench: Bench, ground: Ground, faults: Faults) -> None:
    with faults.in_force(AddressChange(site="east", address=IPv4Address("192.0.2.200"))):
        moved, loaded = scripts(bench, ground.names.router("east"))
        assert "address del 192.0.2.10/24 dev wan\nip address add 192.0.2.200/24 dev wan\nip route replace" in moved
        assert "snat to 192.0.2.200" in loaded
    assert (
        "address del 192.0.2.200/24 dev wan\nip address add 192.0.2.10/24"
        in scripts(bench, ground.names.router("east"))[2]
    )


def test_a_nodes_link_loses_its_carrier_at_the_other_end(bench: Bench, ground: Ground, faults: Faults) -> None:
    tools = f"{ground.names.wan}-cables"
    with faults.in_force(LinkDown(cluster="east", node=ground.names.node("east", 0))):
        assert scripts(bench, tools)[-1] == "ip link set veth0a1b2c3 down"
        assert bench.engine.containers[tools].config["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert scripts(bench, tools)[-1] == "ip link set veth0a1b2c3 up"


def test_settings_of_links_go_back_to_what_they_were(bench: Bench, ground: Ground, faults: Faults) -> None:
    node = ground.names.node("east", 0)
    with faults.in_force(ReversePathFilter(cluster="east", node=node, mode=1)):
        pass
    assert "echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter" in scripts(bench, node)[-1]


def test_apis_are_closed(faults: Faults) -> None:
    with closing(faults.open_api("east")) as api:
        assert api.items("/api/v1/nodes")
