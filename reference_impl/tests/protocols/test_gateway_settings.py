from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.gateway_settings import PREFIX, GatewaySettings, PublicAddress, parse_gateway_settings


def said(**values: str) -> dict[str, dict[str, str]]:
    return {"annotations": {PREFIX + name.replace("_", "-"): value for name, value in values.items()}}


def test_nothing_said_is_nothing_set() -> None:
    assert parse_gateway_settings({"name": "east-1"}) == GatewaySettings()


def test_every_setting_is_read() -> None:
    read = parse_gateway_settings(
        said(udp_port="4501", natt_discovery_port="0", public_ip="ipv4:192.0.2.10", preferred_server="true")
    )
    assert read == GatewaySettings(
        udp_port=4501,
        discovery_port=0,
        public_ip=PublicAddress(address=ip_address("192.0.2.10")),
        preferred_server="true",
    )


def test_the_annotation_wins_over_the_label() -> None:
    key = PREFIX + "udp-port"
    assert parse_gateway_settings({"labels": {key: "4501"}, "annotations": {key: "4502"}}).udp_port == 4502
    assert parse_gateway_settings({"labels": {key: "4501"}}).udp_port == 4501


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dns:gw.example.org", PublicAddress(name="gw.example.org")),
        ("ipv6:2001:db8::1", PublicAddress(address=ip_address("2001:db8::1"))),
        ("nonsense,ipv4:192.0.2.1", PublicAddress(address=ip_address("192.0.2.1"))),
    ],
)
def test_forms_of_a_public_address(text: str, wanted: PublicAddress) -> None:
    assert parse_gateway_settings(said(public_ip=text)).public_ip == wanted


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("udp_port", "0", "no port from 1"),
        ("udp_port", "\uff14\uff15\uff10\uff10", "no port"),
        ("natt_discovery_port", "65536", "no port from 0"),
        ("public_ip", "192.0.2.1", "neither ipv4:ADDRESS"),
        ("public_ip", "ipv4:2001:db8::1", "cannot be a gateway's ipv4 address"),
        ("public_ip", "ipv4:0.0.0.0", "cannot be"),
        ("public_ip", "ipv4:host", "is no address"),
        ("preferred_server", "yes", "neither true nor false"),
    ],
)
def test_what_cannot_be_used_is_reported_and_ignored(name: str, value: str, words: str) -> None:
    read = parse_gateway_settings(said(**{name: value}))
    assert words in read.problems[0]
    assert read == GatewaySettings(problems=read.problems)


@given(
    st.dictionaries(st.sampled_from(["udp-port", "natt-discovery-port", "public-ip", "preferred-server"]), st.text())
)
def test_no_value_is_too_strange(values: dict[str, str]) -> None:
    read = parse_gateway_settings({"annotations": {PREFIX + name: value for name, value in values.items()}})
    assert read.udp_port is None or 1 <= read.udp_port <= 65535
