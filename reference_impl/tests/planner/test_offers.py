"""What a cluster offers, and how that survives the way through the broker."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import BROKER_NAMESPACE
from reference_impl.planner.offer_objects import (
    MOST_ENDPOINTS,
    import_at_broker,
    offer_name,
    read_offers,
    slices_at_broker,
)
from reference_impl.planner.offers import Backend, Group, Kind, Offer, Port, Reach, abroad, own_offers
from reference_impl.tests.planner.services import OLD, endpoint, export, ingress, offered, pod_slice, service

if TYPE_CHECKING:
    from reference_impl.tests.planner.services import Object

GLOBAL = (ip_network("100.64.0.0/24"),)
HEADLESS = service("db", "None")


def offers(services: list[Object], slices: list[Object] = [], reach: Reach | None = None) -> tuple[Offer, ...]:  # noqa: B006
    return own_offers(
        "east", [export(each["metadata"]["name"]) for each in services], services, slices, reach or Reach()
    )


def translated(*objects: Object) -> Reach:
    return abroad(GLOBAL, objects)


def test_a_service_is_offered_at_its_own_addresses_where_others_reach_these() -> None:
    (offer,) = offers([service("web", "10.101.0.20", "fd00:101::20")])
    assert offer.addresses == (ip_address("10.101.0.20"), ip_address("fd00:101::20"))
    assert (offer.kind, offer.since, offer.ports) == (Kind.CLUSTER_SET_IP, OLD, (Port("http", "TCP", 80),))


def test_a_service_is_offered_at_its_global_address_where_it_has_one() -> None:
    reach = translated(ingress("web", "100.64.0.9", target="ClusterIPService", serviceRef={"name": "web"}))
    (offer,) = offers([service("web", "10.101.0.20", "fd00:101::20")], reach=reach)
    assert offer.addresses == (ip_address("100.64.0.9"), ip_address("fd00:101::20"))


def test_a_service_that_waits_for_its_global_address_is_not_offered() -> None:
    reach = translated(ingress("web", None, target="ClusterIPService", serviceRef={"name": "web"}))
    assert offers([service()], reach=reach) == ()


@pytest.mark.parametrize("services", [[], [service("web", type="ExternalName", externalName="example.org")]])
def test_what_cannot_be_exported_is_not_offered(services: list[Object]) -> None:
    assert own_offers("east", [export()], services, [], Reach()) == ()


@pytest.mark.parametrize(
    ("slices", "serves"),
    [
        ([], True),
        ([pod_slice("web", endpoint("web-0", "10.1.0.5"))], True),
        ([pod_slice("web")], False),
        ([pod_slice("web", endpoint("web-0", "10.1.0.5", conditions={"ready": False}))], False),
    ],
    ids=["nothing is known", "ready", "no endpoint", "none ready"],
)
def test_whether_anybody_is_behind_an_address_is_said_and_read(slices: list[Object], serves: bool) -> None:  # noqa: FBT001
    (offer,) = offers([service("web")], slices)
    assert offer.serves is serves
    assert read_offers([import_at_broker(offer, BROKER_NAMESPACE)], ()) == (offer,)


def test_only_what_is_exported_is_offered() -> None:
    assert own_offers("east", [], [service()], [], Reach()) == ()


def test_ready_endpoints_of_a_headless_service_are_offered_by_name() -> None:
    piece = pod_slice(
        "db",
        endpoint("db-1", "10.1.0.6"),
        endpoint("db-0", "10.1.0.5", hostname="first"),
        endpoint("db-2", "10.1.0.7", conditions={"ready": False}),
        endpoint("db.with.dots", "10.1.0.8"),
        {"addresses": ["10.1.0.9"]},
    )
    (offer,) = offers([HEADLESS], [piece])
    (group,) = offer.groups
    assert [(str(each.address), each.hostname) for each in group.backends] == [
        ("10.1.0.5", "first"),
        ("10.1.0.6", "db-1"),
        ("10.1.0.8", ""),
        ("10.1.0.9", ""),
    ]
    assert (offer.kind, offer.addresses, group.ports) == (Kind.HEADLESS, (), (Port("http", "TCP", 8080),))


def test_endpoints_are_offered_at_the_global_addresses_of_their_pods() -> None:
    reach = translated(ingress("db-db-0", "100.64.0.7", target="HeadlessServicePod", podRef={"name": "db-0"}))
    piece = pod_slice("db", endpoint("db-0", "10.1.0.5"), endpoint("db-1", "10.1.0.6"))
    (offer,) = offers([HEADLESS], [piece], reach)
    assert [each.address for group in offer.groups for each in group.backends] == [ip_address("100.64.0.7")]


def test_a_headless_service_without_endpoints_is_offered_all_the_same() -> None:
    (offer,) = offers([HEADLESS])
    assert offer.groups == ()


LABELS = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
PORTS = st.builds(Port, LABELS, st.sampled_from(["TCP", "UDP", "SCTP"]), st.integers(1, 65535), LABELS)
V4 = st.ip_addresses(v=4)
GROUPS = st.builds(
    Group,
    version=st.just(4),
    ports=st.lists(PORTS, max_size=2).map(tuple),
    backends=st.lists(st.builds(Backend, V4, LABELS), min_size=1, max_size=3).map(tuple),
)
PLAIN = st.builds(
    Offer,
    cluster_id=LABELS,
    name=st.tuples(LABELS, LABELS),
    kind=st.just(Kind.CLUSTER_SET_IP),
    since=st.just(OLD),
    ports=st.lists(PORTS, max_size=3).map(tuple),
    addresses=st.lists(V4, min_size=1, max_size=1).map(tuple),
)
WITHOUT_ADDRESS = st.builds(
    Offer,
    cluster_id=LABELS,
    name=st.tuples(LABELS, LABELS),
    kind=st.just(Kind.HEADLESS),
    since=st.just(OLD),
    ports=st.lists(PORTS, max_size=3).map(tuple),
    groups=st.lists(GROUPS, max_size=3).map(tuple),
)


@given(PLAIN | WITHOUT_ADDRESS)
def test_what_is_offered_is_what_others_read(offer: Offer) -> None:
    slices = list(slices_at_broker(offer, BROKER_NAMESPACE))
    assert read_offers([import_at_broker(offer, BROKER_NAMESPACE)], slices) == (offer,)


@given(PLAIN, PLAIN)
def test_no_two_offers_have_one_name(one: Offer, other: Offer) -> None:
    same = (one.cluster_id, one.name) == (other.cluster_id, other.name)
    assert (offer_name(one) == offer_name(other)) is same


def test_many_endpoints_take_several_slices() -> None:
    backends = tuple(Backend(ip_address(f"10.1.0.{number}")) for number in range(1, MOST_ENDPOINTS + 2))
    group = Group(version=4, ports=(), backends=backends)
    offer = Offer(cluster_id="east", name=("shop", "db"), kind=Kind.HEADLESS, since=OLD, groups=(group,))
    slices = list(slices_at_broker(offer, BROKER_NAMESPACE))
    assert [each["metadata"]["name"] for each in slices] == ["db.shop.east.ipv4-0", "db.shop.east.ipv4-1"]
    assert [len(each["endpoints"]) for each in slices] == [MOST_ENDPOINTS, 1]


def changed(**metadata: Any) -> Object:  # noqa: ANN401 - JSON
    obj = offered()
    return {**obj, "metadata": {**obj["metadata"], **metadata}}


@pytest.mark.parametrize(
    "wrong",
    [
        changed(name="web.shop.east"),
        changed(labels={}),
        changed(labels={**offered()["metadata"]["labels"], "submariner-io/originatingNamespace": "kube.system"}),
        offered(type="Strange"),
        offered(ips=["nonsense"]),
        offered(ips=7),
        offered(ports=[{"port": 99999}]),
        offered(ports=[{"port": 80, "protocol": "GRE"}]),
        offered(ports=[{"port": 80, "name": "Über"}]),
        {**offered(), "spec": None},
    ],
)
def test_what_cannot_be_read_concerns_its_writer_alone(wrong: Object) -> None:
    assert [each.cluster_id for each in read_offers([wrong, offered("north")], [])] == ["north"]


def test_a_slice_of_another_name_belongs_to_no_offer() -> None:
    offer = Offer(
        cluster_id="east",
        name=("shop", "db"),
        kind=Kind.HEADLESS,
        since=OLD,
        groups=(Group(version=4, ports=(), backends=(Backend(ip_address("10.1.0.5")),)),),
    )
    (piece,) = slices_at_broker(offer, BROKER_NAMESPACE)
    piece["metadata"]["name"] = "db.shop.west.ipv4-0"
    (read,) = read_offers([import_at_broker(offer, BROKER_NAMESPACE)], [piece])
    assert read.groups == ()


def test_endpoints_that_are_no_pods_are_offered_at_the_global_addresses_of_just_these() -> None:
    spec = {"target": "HeadlessServiceEndpoints", "serviceRef": {"name": "db"}}
    asking = ingress("vm", "100.64.0.9", **spec)
    asking["metadata"]["annotations"] = {"submariner.io/headless-svc-endpoints-ip": "192.168.7.5"}
    piece = pod_slice("db", {"addresses": ["192.168.7.5"], "hostname": "vm"}, {"addresses": ["192.168.7.6"]})
    (offer,) = offers([HEADLESS], [piece], translated(asking))
    (group,) = offer.groups
    assert [(str(each.address), each.hostname) for each in group.backends] == [("100.64.0.9", "vm")]
