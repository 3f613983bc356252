"""Services get the families that they ask for, in that order, as far as the cluster has them (KEP-563)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.server import APIServer
from l3conf.tests.apiserver.manifests import service

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import ClusterAPI

FOUR, SIX = ipaddress.ip_network("100.96.0.0/16"), ipaddress.ip_network("fd11:1::/112")
LOOPBACK = ipaddress.ip_address("127.0.0.1")
RANGES = {"dual": (FOUR, SIX), "four": (FOUR,), "six": (SIX,), "six-first": (SIX, FOUR)}


def api_with(ranges: str) -> ClusterAPI:
    return APIServer("east", service_cidrs=RANGES[ranges], addresses=[LOOPBACK]).api


def families(spec: dict[str, Any]) -> tuple[list[str], list[str], str]:
    """Return what a Service says of its families, and the families that its addresses really have."""
    real = [f"IPv{ipaddress.ip_address(text).version}" for text in spec["clusterIPs"] if text != "None"]
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    return real, spec["ipFamilies"], spec["ipFamilyPolicy"]


@pytest.mark.parametrize(
    ("ranges", "asked", "wanted", "policy"),
    [
        ("dual", {}, ["IPv4"], "SingleStack"),
        ("six-first", {}, ["IPv6"], "SingleStack"),
        ("six", {"ipFamilyPolicy": "PreferDualStack"}, ["IPv6"], "PreferDualStack"),
        ("dual", {"ipFamilyPolicy": "PreferDualStack"}, ["IPv4", "IPv6"], "PreferDualStack"),
        ("dual", {"ipFamilyPolicy": "RequireDualStack"}, ["IPv4", "IPv6"], "RequireDualStack"),
        ("dual", {"ipFamilies": ["IPv6"]}, ["IPv6"], "SingleStack"),
        ("dual", {"ipFamilies": ["IPv6", "IPv4"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ("dual", {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "PreferDualStack"}, ["IPv6", "IPv4"], "PreferDualStack"),
        ("dual", {"clusterIP": "fd11:1::7"}, ["IPv6"], "SingleStack"),
        ("dual", {"clusterIPs": ["fd11:1::7", "100.96.0.7"]}, ["IPv6", "IPv4"], "RequireDualStack"),
    ],
)
def test_addresses_follow_the_families_asked_for(
    ranges: str, asked: dict[str, Any], wanted: list[str], policy: str
) -> None:
    made = api_with(ranges).create("services", service(**asked))["spec"]
    assert families(made) == (wanted, wanted, policy)


@pytest.mark.parametrize(
    ("ranges", "asked", "message"),
    [
        ("four", {"ipFamilyPolicy": "RequireDualStack"}, "this cluster is not configured for dual-stack services"),
        ("four", {"ipFamilies": ["IPv6"]}, r"spec.ipFamilies\[0\]: Invalid value: \"IPv6\": not configured on this"),
        ("dual", {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"}, "only one family may be named"),
        ("dual", {"clusterIP": "fd11:1::7", "ipFamilies": ["IPv4"]}, "expected an IPv4 value"),
    ],
)
def test_families_that_cannot_be_had_are_refused(ranges: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(StatusError, match=message) as refused:
        api_with(ranges).create("services", service(**asked))
    assert refused.value.code == 422


def test_a_second_family_comes_and_goes_and_the_first_stays() -> None:
    api = api_with("dual")
    first = api.create("services", service())["spec"]["clusterIP"]
    wider = api.patch("services", "s", {"spec": {"ipFamilyPolicy": "RequireDualStack"}}, namespace="default")["spec"]
    assert families(wider)[0] == ["IPv4", "IPv6"]
    second = wider["clusterIPs"][1]
    again = api.patch("services", "s", {"spec": {"ipFamilyPolicy": "SingleStack"}}, namespace="default")["spec"]
    assert (again["clusterIPs"], again["ipFamilies"]) == ([first], ["IPv4"])
    assert api.create("services", service("heir", clusterIP=second))["spec"]["clusterIP"] == second
    with pytest.raises(StatusError, match="may not change once set"):
        api.patch("services", "s", {"spec": {"ipFamilies": ["IPv6"]}}, namespace="default")


def test_a_headless_service_has_families_and_no_addresses() -> None:
    made = api_with("dual").create("services", service(clusterIP="None", ipFamilyPolicy="PreferDualStack"))["spec"]
    assert families(made) == ([], ["IPv4", "IPv6"], "PreferDualStack")
