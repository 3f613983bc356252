"""What becomes of the offers of one Service."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.imports import import_slices, merge, reachable_ranges, within_reach
from reference_impl.planner.offers import Backend, Group, Kind, Offer, Port
from reference_impl.tests.planner.services import NEW, OLD, gateway, member

if TYPE_CHECKING:
    from random import Random

HTTP, HTTPS = Port("http", "TCP", 80), Port("https", "TCP", 443)
WEST = (ip_network("10.102.0.0/16"), ip_network("10.2.0.0/16"))


def offer(
    cluster_id: str, since: str = OLD, *ports: Port, address: str = "10.102.0.20", headless: bool = False
) -> Offer:
    backends = (Backend(ip_address(address), f"pod-{cluster_id}"),)
    return Offer(
        cluster_id=cluster_id,
        name=("shop", "web"),
        kind=Kind.HEADLESS if headless else Kind.CLUSTER_SET_IP,
        since=since,
        ports=ports or (HTTP,),
        addresses=() if headless else (ip_address(address),),
        groups=(Group(version=4, ports=ports or (HTTP,), backends=backends),) if headless else (),
    )


def test_the_oldest_export_gives_the_address_and_all_exporters_are_named() -> None:
    (found,) = merge([offer("east", NEW, address="10.101.0.20"), offer("west", OLD)])
    assert found.addresses == (ip_address("10.102.0.20"),)
    assert [each.cluster_id for each in found.offers] == ["west", "east"]
    assert found.conflicts == {}


def test_of_equally_old_exports_the_lower_cluster_id_counts() -> None:
    (found,) = merge([offer("west", address="10.102.0.20"), offer("east", address="10.101.0.20")])
    assert found.addresses == (ip_address("10.101.0.20"),)


def test_the_address_is_of_one_that_serves_for_as_long_as_any_does() -> None:
    old, young = offer("west"), offer("east", NEW, address="10.101.0.20")
    (found,) = merge([replace(old, serves=False), young])
    assert found.addresses == young.addresses
    assert [each.cluster_id for each in found.offers] == ["west", "east"]
    (nobody,) = merge([replace(old, serves=False), replace(young, serves=False)])
    assert nobody.addresses == old.addresses


def test_nobody_turns_to_an_export_of_the_other_type() -> None:
    old, young = replace(offer("west"), serves=False), offer("east", NEW, headless=True)
    (found,) = merge([old, young])
    assert found.addresses == old.addresses


def test_ports_that_do_not_contradict_older_ones_are_added() -> None:
    (found,) = merge([offer("west", OLD, HTTP), offer("east", NEW, HTTP, HTTPS)])
    assert (found.ports, found.conflicts) == ((HTTP, HTTPS), {})


@pytest.mark.parametrize(
    "other",
    [Port("http", "TCP", 8080), Port("web", "TCP", 80), Port("http", "UDP", 80), Port("http", "TCP", 80, "h2c")],
    ids=["number", "name", "protocol", "application"],
)
def test_a_port_that_contradicts_an_older_one_is_left_out_and_said(other: Port) -> None:
    (found,) = merge([offer("east", NEW, other, HTTPS), offer("west", OLD, HTTP)])
    assert found.ports == (HTTP, HTTPS)
    assert {name: (each.status, each.reason) for name, each in found.conflicts.items()} == {
        "east": ("True", "PortConflict")
    }
    assert [each.ports for each in found.offers] == [(HTTP,), (HTTPS,)]


def test_a_younger_export_of_the_other_type_is_left_out_and_said() -> None:
    (found,) = merge([offer("west", OLD), offer("east", NEW, headless=True)])
    assert found.kind is Kind.CLUSTER_SET_IP
    assert [each.cluster_id for each in found.offers] == ["west"]
    assert found.conflicts["east"].reason == "TypeConflict"


OFFERS = st.lists(
    st.builds(
        offer,
        st.sampled_from(["north", "east", "west", "south"]),
        st.sampled_from([OLD, NEW]),
        st.sampled_from([HTTP, HTTPS, Port("http", "TCP", 8080), Port("", "UDP", 53)]),
        headless=st.booleans(),
    ),
    unique_by=lambda each: each.cluster_id,
)


@given(OFFERS, st.randoms())
def test_the_order_of_arrival_does_not_matter(offers: list[Offer], random: Random) -> None:
    shuffled = list(offers)
    random.shuffle(shuffled)
    assert merge(shuffled) == merge(offers)


@given(OFFERS)
def test_ports_of_an_import_are_unique_and_the_oldest_export_has_no_conflict(offers: list[Offer]) -> None:
    for found in merge(offers):
        assert len({port.name for port in found.ports}) == len(found.ports)
        assert len({(port.protocol, port.number) for port in found.ports}) == len(found.ports)
        assert found.offers[0].cluster_id not in found.conflicts


def test_slices_say_who_exports_and_where_that_is_reached() -> None:
    (found,) = merge([offer("west"), offer("east", NEW, address="10.101.0.20")])
    slices = list(import_slices(found))
    assert [
        (
            each["metadata"]["name"],
            each["metadata"]["labels"]["multicluster.kubernetes.io/source-cluster"],
            each["endpoints"][0]["addresses"],
            each["ports"][0]["port"],
        )
        for each in slices
    ] == [("web.west.ipv4-0", "west", ["10.102.0.20"], 80), ("web.east.ipv4-0", "east", ["10.101.0.20"], 80)]
    assert not any("kubernetes.io/service-name" in each["metadata"]["labels"] for each in slices)


def test_members_that_are_accepted_are_reached_at_what_their_newest_endpoint_routes() -> None:
    old = gateway("west", "10.9.0.0/16")
    assert reachable_ranges([member("west")], [gateway("west", *map(str, WEST), created=NEW), old]) == {"west": WEST}


@pytest.mark.parametrize(
    ("cluster", "endpoint"),
    [
        (member("west", accepted=False), gateway("west", "10.102.0.0/16")),
        (member("west", isolated=True), gateway("west", "10.102.0.0/16")),
        ({**member("west"), "status": None}, gateway("west", "10.102.0.0/16")),
        (member("west"), gateway("west", "nonsense")),
        (member("west"), gateway("west", "10.102.0.0/16", claims="north")),
        (member("north"), gateway("west", "10.102.0.0/16")),
    ],
    ids=["refused", "isolated", "unknown", "malformed", "forged", "without a Cluster"],
)
def test_others_are_not_reached(cluster: dict[str, object], endpoint: dict[str, object]) -> None:
    assert reachable_ranges([cluster], [endpoint]) == {}


def test_nobody_offers_what_is_at_another_ones_addresses() -> None:
    elsewhere = offer("west", address="10.101.0.20"), offer("west", headless=True, address="10.101.0.20")
    plain, headless = offer("west"), offer("west", headless=True)
    found = list(within_reach([*elsewhere, plain, headless, offer("north")], {"west": WEST}))
    assert found == [replace(headless, groups=()), plain, headless]
