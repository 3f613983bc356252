"""Meters: what is counted, under which names, and that nothing that counts is ever replaced."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.meter_script import counter_name, mark, render
from reference_impl.names import CABLE_DEVICE, TRAFFIC_TABLE
from reference_impl.operations import Operation, Verb
from reference_impl.planner.cable import GatewayFacts, carried, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.metrics import traffic
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.state import Count, Flow, KernelState, Link, Meter, Meters, Observed
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint

WEST = Meter(peer="west", prefixes=frozenset({ip_network("10.2.0.0/16"), ip_network("fd10:2::/56")}))
NORTH = Meter(peer="north", prefixes=frozenset({ip_network("10.3.0.0/16")}))
METERS = Meters(table=TRAFFIC_TABLE, devices=frozenset({CABLE_DEVICE}), meters=frozenset({WEST, NORTH}))


def plan(*numbers: int) -> KernelState:
    peers = tuple(endpoint(number) for number in numbers)
    facts = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0))
    return plan_cables(facts, DriverSet((VXLANCables(),)))


def test_every_peer_is_counted_by_all_its_prefixes_where_cables_come_out() -> None:
    meters = plan(2, 3).meters
    assert meters is not None
    assert meters.devices == {CABLE_DEVICE}
    assert {meter.peer: meter.prefixes for meter in meters.meters} == {
        peer.cluster_id: frozenset(peer.subnets) for peer in (endpoint(2), endpoint(3))
    }


def test_the_script_adds_and_fills_and_never_deletes_what_is_wanted() -> None:
    found = [counter_name(meter.peer, flow) for meter in METERS.meters for flow in Flow]
    (script,) = render(METERS, [*found, "rx-gone", "meters-old"])
    deleted = [line.split()[-1] for line in script.splitlines() if line.startswith("delete ")]
    assert deleted == ["rx_v4_old", "rx_v6_old", "tx_v4_old", "tx_v6_old", "meters-old", "rx-gone"]
    assert all(f"add counter inet {TRAFFIC_TABLE} {name}\n" in script for name in found)


def test_a_large_set_is_loaded_in_parts_and_counted_from_the_last_one_on() -> None:
    many = Meter(peer="west", prefixes=frozenset(ip_network(f"10.{i // 250}.{i % 250}.0/24") for i in range(2000)))
    scripts = render(replace(METERS, meters=frozenset({many})), ["meters-old"])
    assert max(map(len, scripts)) < 40_000
    assert not any("add rule" in script or "delete" in script for script in scripts[:-1])
    assert "add counter inet submariner-traffic meters-" in scripts[-1]
    assert sum(script.count(" : ") for script in scripts) == 2 * 2000 + 4 + 4  # elements of both ways, types of maps


@given(st.text(min_size=1))
def test_whatever_a_peer_calls_itself_is_no_word_of_the_script(name: str) -> None:
    assert counter_name(name, Flow.SENT).replace("-", "").isalnum()


def test_a_meter_that_changes_is_loaded_and_one_that_does_not_is_left_alone() -> None:
    loaded = Observed(state=KernelState(meters=Meters(table=TRAFFIC_TABLE)), meters_mark=mark(METERS))
    assert diff(KernelState(meters=METERS), loaded) == ()
    fewer = replace(METERS, meters=frozenset({WEST}))
    assert diff(KernelState(meters=fewer), loaded) == (Operation(Verb.SET, fewer),)
    (gone,) = diff(KernelState(), loaded)
    assert gone.verb is Verb.REMOVE


def test_counts_are_given_to_peers_by_name_and_only_whole() -> None:
    one, other = Count(packets=1, octets=100), Count(packets=2, octets=300)
    counts = {counter_name("west", Flow.RECEIVED): one, counter_name("west", Flow.SENT): other}
    assert traffic(["west", "north"], counts) == {"west": {Flow.RECEIVED: one, Flow.SENT: other}}
    assert traffic(["west"], {counter_name("west", Flow.SENT): other}) == {}


def test_an_mtu_is_that_of_the_device_that_the_kernel_has() -> None:
    wanted = plan(2)
    (link,) = wanted.links
    assert isinstance(link, Link)
    assert carried(wanted, [endpoint(2)], wanted.links) == {"c2": link.mtu}
    assert carried(wanted, [endpoint(2)], [replace(link, mtu=1234)]) == {"c2": 1234}
    assert carried(wanted, [endpoint(2)], []) == {}
