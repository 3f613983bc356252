"""The published CRDs take what the wire has and refuse what cannot be (L3-A1, L3-A2)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.schemas.crd import check_crd
from l3conf.emulator.apiserver.schemas.structural import StructuralSchema
from l3conf.spec.package_data import load_crds

if TYPE_CHECKING:
    from collections.abc import Callable

CRDS = {crd["spec"]["names"]["kind"]: crd for crd in load_crds()}
CLUSTER: dict[str, Any] = {
    "cluster_id": "east",
    "color_codes": ["blue"],
    "service_cidr": ["10.101.0.0/16", "fd01::/112"],
    "cluster_cidr": ["10.1.0.0/16", "fd00::/48"],
    "global_cidr": ["242.0.0.0/16"],
}
ENDPOINT: dict[str, Any] = {
    "cluster_id": "east",
    "cable_name": "submariner-cable-east-172-16-1-10",
    "hostname": "east-1",
    "subnets": ["10.101.0.0/16", "10.1.0.0/16", "fd00::/48"],
    "private_ip": "172.16.1.10",
    "public_ip": "",
    "privateIPs": ["172.16.1.10", "fd02::10"],
    "publicIPs": ["198.51.100.7"],
    "healthCheckIP": "10.1.0.1",
    "healthCheckIPs": ["10.1.0.1", "fd00::1"],
    "nat_enabled": True,
    "backend": "wireguard",
    "backend_config": {
        "udp-port": "4500",
        "natt-discovery-port": "4490",
        "preferred-server": "false",
        "publicKey": "b64=",
    },
}
GATEWAY: dict[str, Any] = {
    "version": "v0.20.0",
    "haStatus": "active",
    "localEndpoint": ENDPOINT,
    "statusFailure": "",
    "connections": [
        {
            "status": "connected",
            "statusMessage": "",
            "endpoint": ENDPOINT,
            "usingIP": "172.16.2.10",
            "usingNAT": False,
            "latencyRTT": {"last": "1.52ms", "min": "318µs", "average": "1m3.5s", "max": "2s", "stdDev": "0s"},
        }
    ],
}
ROUTE_AGENT: dict[str, Any] = {
    "version": "v0.20.0",
    "statusFailure": "",
    "remoteEndpoints": [{"status": "none", "statusMessage": "", "spec": ENDPOINT}],
}
MAXIMAL: dict[str, dict[str, dict[str, Any]]] = {
    "Cluster": {"spec": CLUSTER},
    "Endpoint": {"spec": ENDPOINT},
    "Gateway": {"status": GATEWAY},
    "RouteAgent": {"status": ROUTE_AGENT},
}


def schema(kind: str) -> StructuralSchema:
    (version,) = CRDS[kind]["spec"]["versions"]
    return StructuralSchema(version["schema"]["openAPIV3Schema"])


def whole(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    version = CRDS[kind]["spec"]["versions"][0]["name"]
    return {"apiVersion": f"submariner.io/{version}", "kind": kind, "metadata": {"name": "x"}, **copy.deepcopy(body)}


def errors(kind: str, body: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    found = schema(kind)
    replaced = None if old is None else found.default(whole(kind, old))
    return [str(error) for error in found.validate(found.default(whole(kind, body)), replaced)]


@pytest.mark.parametrize("kind", CRDS)
def test_an_api_server_takes_the_definition(kind: str) -> None:
    assert check_crd(CRDS[kind]) == []


@pytest.mark.parametrize("kind", MAXIMAL)
def test_a_maximal_object_is_valid_and_keeps_every_field(kind: str) -> None:
    obj = whole(kind, MAXIMAL[kind])
    kept, dropped = schema(kind).prune(schema(kind).default(obj))
    assert errors(kind, MAXIMAL[kind]) == []
    assert (kept, dropped) == (obj, [])


@pytest.mark.parametrize("kind", MAXIMAL)
def test_unknown_fields_are_pruned_everywhere(kind: str) -> None:
    obj = whole(kind, MAXIMAL[kind])
    (part,) = MAXIMAL[kind]
    obj[part]["future"] = {"a": 1}
    kept, _ = schema(kind).prune(obj)
    assert kept == whole(kind, MAXIMAL[kind])


def test_the_smallest_endpoint_is_given_its_defaults() -> None:
    minimal = {key: ENDPOINT[key] for key in ("cluster_id", "cable_name", "hostname", "subnets", "backend")}
    minimal["private_ip"] = "172.16.1.10"
    defaulted = schema("Endpoint").default(whole("Endpoint", {"spec": minimal}))
    assert isinstance(defaulted, dict)
    assert (defaulted["spec"]["public_ip"], defaulted["spec"]["nat_enabled"]) == ("", False)


def cluster(**changes: object) -> Callable[[], list[str]]:
    return lambda: errors("Cluster", {"spec": {**CLUSTER, **changes}})


def endpoint(**changes: object) -> Callable[[], list[str]]:
    return lambda: errors("Endpoint", {"spec": {**ENDPOINT, **changes}})


def config(**changes: str) -> Callable[[], list[str]]:
    return endpoint(backend_config={key.replace("_", "-"): value for key, value in changes.items()})


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(cluster(cluster_cidr=["10.1.0.0"]), id="no prefix length"),
        pytest.param(cluster(cluster_cidr=["10.1.0.0/33"]), id="prefix too long"),
        pytest.param(cluster(cluster_cidr=["10.1.0.256/24"]), id="no address"),
        pytest.param(cluster(cluster_cidr=["10.1.0.5/16"]), id="host bits"),
        pytest.param(cluster(cluster_cidr=["fd00::1/48"]), id="IPv6 host bits"),
        pytest.param(cluster(service_cidr=[]), id="no service range"),
        pytest.param(cluster(cluster_cidr=[]), id="no pod range"),
        pytest.param(cluster(cluster_id="East"), id="cluster id no label"),
        pytest.param(cluster(cluster_id="a.b.c"), id="cluster id of three labels"),
        pytest.param(cluster(cluster_id="e" * 64), id="cluster id too long"),
        pytest.param(endpoint(subnets=[]), id="empty subnets"),
        pytest.param(endpoint(subnets=["10.1.0.0/16", "10.2.0.1/16"]), id="host bits in subnets"),
        pytest.param(endpoint(subnets=["nonsense"]), id="subnet is nonsense"),
        pytest.param(endpoint(privateIPs=["172.16.1.10", "172.16.1.11"]), id="duplicate IPv4"),
        pytest.param(endpoint(publicIPs=["fd02::1", "fd02::2"]), id="duplicate IPv6"),
        pytest.param(endpoint(healthCheckIPs=["10.1.0.1", "10.1.0.2"]), id="duplicate health check"),
        pytest.param(endpoint(privateIPs=["172.16.1.10", "fd02::1", "172.16.1.11"]), id="three addresses"),
        pytest.param(endpoint(private_ip="172.16.1"), id="no private address"),
        pytest.param(endpoint(private_ip="", privateIPs=[]), id="no address at all"),
        pytest.param(config(udp_port="0"), id="port 0"),
        pytest.param(config(udp_port="65536"), id="port 65536"),
        pytest.param(config(udp_port="99999"), id="port 99999"),
        pytest.param(config(udp_port="-1"), id="negative port"),
        pytest.param(config(udp_port="4500x"), id="port no number"),
        pytest.param(config(natt_discovery_port="65536"), id="discovery port 65536"),
        pytest.param(endpoint(backend=""), id="no backend"),
        pytest.param(lambda: errors("Gateway", {"status": {**GATEWAY, "haStatus": "idle"}}), id="unknown HA status"),
        pytest.param(lambda: errors("Gateway", {}), id="gateway without status"),
    ],
)
def test_what_cannot_be_is_refused(refused: Callable[[], list[str]]) -> None:
    assert refused() != []


@pytest.mark.parametrize(
    "accepted",
    [
        pytest.param(cluster(global_cidr=[]), id="no global range"),
        pytest.param(cluster(global_cidr=None, color_codes=None), id="nil slices of Go"),
        pytest.param(cluster(cluster_id="east.example"), id="cluster id of two labels"),
        pytest.param(endpoint(backend_config=None), id="nil map of Go"),
        pytest.param(endpoint(public_ip="", publicIPs=[]), id="behind NAT"),
        pytest.param(endpoint(private_ip="", privateIPs=["fd02::10"]), id="IPv6 underlay only"),
        pytest.param(config(udp_port="1"), id="port 1"),
        pytest.param(config(udp_port="65535"), id="port 65535"),
        pytest.param(config(natt_discovery_port="0"), id="discovery off"),
        pytest.param(lambda: errors("Gateway", {"status": {**GATEWAY, "connections": None}}), id="no connections"),
    ],
)
def test_what_the_wire_has_is_taken(accepted: Callable[[], list[str]]) -> None:
    assert accepted() == []


def test_a_malformed_peer_can_be_reported() -> None:
    connection = {**GATEWAY["connections"][0], "status": "error", "endpoint": {"subnets": ["nonsense"]}}
    assert errors("Gateway", {"status": {**GATEWAY, "connections": [connection]}}) == []


@pytest.mark.parametrize("kind", ["Cluster", "Endpoint"])
def test_a_cluster_id_never_changes(kind: str) -> None:
    old = MAXIMAL[kind]
    new = {"spec": {**old["spec"], "cluster_id": "west"}}
    assert errors(kind, old, old) == []
    assert errors(kind, new, old) != []
