from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.ipsec import IPsecCables
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.protocols.object_codec import (
    MalformedObjectError,
    cluster_spec,
    endpoint_spec,
    parse_cluster,
    parse_endpoint,
)
from reference_impl.protocols.objects import Cluster, Endpoint, discovery_port, endpoint_name

ENDPOINT = Endpoint(
    cluster_id="west",
    cable_name="submariner-cable-west-172-16-2-10",
    hostname="west-1",
    subnets=(ip_network("10.102.0.0/16"), ip_network("10.2.0.0/16")),
    private_ip=ip_address("172.16.2.10"),
    health_check_ip=ip_address("10.2.0.1"),
)


CLUSTER = Cluster(
    cluster_id="west", pod_cidrs=(ip_network("10.2.0.0/16"),), service_cidrs=(ip_network("10.102.0.0/16"),)
)


def test_an_endpoint_survives_the_way_through_json() -> None:
    assert parse_endpoint({"spec": endpoint_spec(ENDPOINT)}) == ENDPOINT


def test_a_cluster_survives_the_way_through_json() -> None:
    assert parse_cluster({"spec": cluster_spec(CLUSTER)}) == CLUSTER


def test_a_cluster_with_global_ranges_survives_it_and_who_has_none_may_say_nothing_of_it() -> None:
    known = replace(CLUSTER, global_cidrs=(ip_network("100.64.0.0/18"),))
    spec = cluster_spec(known)
    assert parse_cluster({"spec": spec}) == known
    assert parse_cluster({"spec": {**spec, "global_cidr": []}}) == CLUSTER
    assert parse_cluster({"spec": {**spec, "global_cidr": None}}) == CLUSTER
    assert parse_cluster({"spec": {name: value for name, value in spec.items() if name != "global_cidr"}}) == CLUSTER
    with pytest.raises(MalformedObjectError, match="global_cidr"):
        parse_cluster({"spec": {**spec, "global_cidr": ""}})


def test_an_endpoint_without_public_address_is_valid() -> None:
    assert parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), "public_ip": ""}}).public_ip is None


def test_singular_and_plural_fields_are_both_read() -> None:
    old = {key: value for key, value in endpoint_spec(ENDPOINT).items() if not key.endswith("IPs")}
    new = {key: value for key, value in endpoint_spec(ENDPOINT).items() if key not in ("private_ip", "healthCheckIP")}
    assert parse_endpoint({"spec": old}) == parse_endpoint({"spec": new}) == ENDPOINT


def test_the_name_of_an_endpoint_says_where_its_cable_ends() -> None:
    assert endpoint_name("west", ENDPOINT.private_ip) == "west-submariner-cable-west-172-16-2-10"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subnets", []),
        ("subnets", ["10.2.0.1/16"]),
        ("subnets", ["nonsense"]),
        ("subnets", [7]),
        ("subnets", None),
        ("privateIPs", ["10.2.0.256"]),
        ("healthCheckIPs", ["10.2.0.1", "10.2.0.2"]),
        ("backend_config", {"udp-port": "70000"}),
        ("backend_config", {"udp-port": "0"}),
        ("cluster_id", ""),
        ("hostname", 5),
    ],
)
def test_what_is_malformed_is_named_by_field(field: str, value: object) -> None:
    expected = "udp-port" if field == "backend_config" else "private_ip" if field == "privateIPs" else field
    with pytest.raises(MalformedObjectError, match=expected):
        parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), field: value}})


texts = st.sampled_from(
    ["", "::", "fe80::1%eth0", "10.0.0.0/8", "10.0.0.1", "1" * 5000, "10.0.0.0/" + "9" * 5000, "4500", "\ud800", "٤٥٠٠"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
FIELDS = sorted({*endpoint_spec(ENDPOINT), "publicIPs", *cluster_spec(CLUSTER)})
specs = st.fixed_dictionaries(
    {},
    optional={
        **{field: json_values | st.lists(texts, max_size=3) for field in FIELDS},
        "backend_config": json_values
        | st.dictionaries(
            st.sampled_from(["udp-port", "natt-discovery-port", "publicKey", "cable-drivers"]), json_values | texts
        ),
    },
)
objects = json_values | st.fixed_dictionaries(
    {}, optional={"spec": specs | json_values, "metadata": json_values, "kind": json_values}
)


def read_by_everybody(obj: Any) -> None:  # noqa: ANN401 - JSON
    """Read an object as both kinds; of an Endpoint that can be read, ask all that drivers and discovery ask."""
    with contextlib.suppress(MalformedObjectError):
        parse_cluster(obj)
    with contextlib.suppress(MalformedObjectError):
        endpoint = parse_endpoint(obj)
        assert 0 <= discovery_port(endpoint) <= 65535
        assert endpoint_spec(endpoint)
        drivers = DriverSet((VXLANCables(), WireGuardCables(), IPsecCables()))
        assert drivers.mismatch(endpoint) or drivers.objection(endpoint) or drivers.shares([endpoint])


@given(objects)
def test_any_json_is_read_or_refused_as_malformed(obj: Any) -> None:  # noqa: ANN401 - JSON
    read_by_everybody(obj)


@given(st.sampled_from(FIELDS), json_values | st.lists(texts, max_size=3))
def test_no_field_is_strange_enough_to_crash_the_reader(field: str, value: Any) -> None:  # noqa: ANN401
    read_by_everybody({"spec": {**endpoint_spec(ENDPOINT), **cluster_spec(CLUSTER), field: value}})


@pytest.mark.parametrize("port", ["9" * 5000, "٤٥٠٠", "-1", "0", "65536", "4500 ", " "])
def test_what_is_no_port_is_refused_in_few_words(port: str) -> None:
    with pytest.raises(MalformedObjectError, match="udp-port") as refused:
        parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), "backend_config": {"udp-port": port}}})
    assert len(str(refused.value)) < 200
    parameters = frozenset({("natt-discovery-port", port)})
    assert discovery_port(replace(ENDPOINT, parameters=parameters)) == 0


def test_an_address_with_a_zone_is_refused() -> None:
    with pytest.raises(MalformedObjectError, match="zone"):
        parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), "privateIPs": ["fe80::1%eth0"]}})


def test_endpoints_of_existing_implementations_are_no_malformed_ones() -> None:
    """As v0.20 of the implementation that this API comes from writes them: no key but WireGuard's."""
    settings = {"natt-discovery-port": "4490", "preferred-server": "false", "udp-port": "4500"}
    for backend, config, accepted in (
        ("vxlan", settings, True),
        ("libreswan", settings, False),
        ("wireguard", {**settings, "publicKey": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="}, True),
        ("wireguard", settings, False),
    ):
        endpoint = parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), "backend": backend, "backend_config": config}})
        drivers = load_drivers([backend])
        assert (not drivers.mismatch(endpoint) and not drivers.objection(endpoint)) == accepted
        assert bool(drivers.objection(endpoint)) == (backend == "wireguard" and not accepted)
