from __future__ import annotations

import contextlib
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.objects import (
    Cluster,
    Endpoint,
    MalformedObjectError,
    cluster_spec,
    endpoint_name,
    endpoint_spec,
    parse_cluster,
    parse_endpoint,
)

ENDPOINT = Endpoint(
    cluster_id="west",
    cable_name="submariner-cable-west-172-16-2-10",
    hostname="west-1",
    subnets=(ip_network("10.102.0.0/16"), ip_network("10.2.0.0/16")),
    private_ip=ip_address("172.16.2.10"),
    health_check_ip=ip_address("10.2.0.1"),
)


def test_an_endpoint_survives_the_way_through_json() -> None:
    assert parse_endpoint({"spec": endpoint_spec(ENDPOINT)}) == ENDPOINT


def test_a_cluster_survives_the_way_through_json() -> None:
    cluster = Cluster(
        cluster_id="west", pod_cidrs=(ip_network("10.2.0.0/16"),), service_cidrs=(ip_network("10.102.0.0/16"),)
    )
    assert parse_cluster({"spec": cluster_spec(cluster)}) == cluster


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


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(st.sampled_from(sorted(endpoint_spec(ENDPOINT))), json_values)
def test_no_object_is_strange_enough_to_crash_the_reader(field: str, value: Any) -> None:  # noqa: ANN401
    with contextlib.suppress(MalformedObjectError):
        parse_endpoint({"spec": {**endpoint_spec(ENDPOINT), field: value}})
