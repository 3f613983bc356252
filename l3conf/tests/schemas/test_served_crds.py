"""Our CustomResourceDefinitions, served: what is wrong with an object is a 422 that names the field."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import l3conf.spec
from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.server import APIServer

Json = dict[str, Any]

ENDPOINT: Json = {
    "apiVersion": "submariner.io/v1",
    "kind": "Endpoint",
    "metadata": {"name": "east-gw", "namespace": "default"},
    "spec": {
        "cluster_id": "east",
        "cable_name": "submariner-cable-east-10-1-0-3",
        "hostname": "gw",
        "subnets": ["10.96.0.0/16", "10.244.0.0/16"],
        "private_ip": "10.1.0.3",
        "public_ip": "",
        "nat_enabled": True,
        "backend": "vxlan",
        "backend_config": {"udp-port": "4500"},
    },
}
CLUSTER: Json = {
    "apiVersion": "submariner.io/v1",
    "kind": "Cluster",
    "metadata": {"name": "east", "namespace": "default"},
    "spec": {"cluster_id": "east", "service_cidr": ["10.96.0.0/16"], "cluster_cidr": ["10.244.0.0/16"]},
}
RESOURCES = {"Endpoint": "endpoints.submariner.io", "Cluster": "clusters.submariner.io"}


@cache
def definitions() -> tuple[Json, ...]:
    directory = Path(l3conf.spec.__file__).parent / "crds"
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.yaml")))


@pytest.fixture(scope="module")
def server() -> APIServer:
    made = APIServer("east", service_cidrs=[], addresses=[])
    for definition in definitions():
        made.api.create("customresourcedefinitions.apiextensions.k8s.io", definition)
    return made


def refusal(server: APIServer, base: Json, **spec: Any) -> Json:  # noqa: ANN401
    """Return the Status that creating a changed copy gives; None as a value leaves the field out."""
    obj = copy.deepcopy(base)
    obj["spec"] = {key: value for key, value in {**obj["spec"], **spec}.items() if value is not None}
    with pytest.raises(StatusError) as caught:
        server.api.create(RESOURCES[obj["kind"]], obj)
    return dict(caught.value.to_status())


@pytest.mark.parametrize("base", [ENDPOINT, CLUSTER], ids=["endpoint", "cluster"])
def test_a_good_object_is_stored_as_it_is(server: APIServer, base: Json) -> None:
    stored = server.api.create(RESOURCES[base["kind"]], base)
    assert base["spec"].items() <= stored["spec"].items()
    server.api.delete(RESOURCES[base["kind"]], base["metadata"]["name"], "default")


@pytest.mark.parametrize(
    ("base", "spec", "field"),
    [
        (ENDPOINT, {"subnets": ["10.0.0.0/33"]}, "spec.subnets[0]"),
        (ENDPOINT, {"subnets": ["10.96.0.0/16", "nonsense"]}, "spec.subnets[1]"),
        (ENDPOINT, {"subnets": ["10.96.0.1/16"]}, "spec.subnets[0]"),
        (ENDPOINT, {"subnets": []}, "spec.subnets"),
        (ENDPOINT, {"subnets": None}, "spec.subnets"),
        (ENDPOINT, {"subnets": "10.96.0.0/16"}, "spec.subnets"),
        (ENDPOINT, {"privateIPs": ["10.1.0.3", "10.1.0.4"]}, "spec.privateIPs"),
        (ENDPOINT, {"healthCheckIPs": ["fd00::1", "fd00::2"]}, "spec.healthCheckIPs"),
        (ENDPOINT, {"private_ip": "10.1.0"}, "spec.private_ip"),
        (ENDPOINT, {"public_ip": "gw.example.org"}, "spec.public_ip"),
        (ENDPOINT, {"backend_config": {"udp-port": "0"}}, "spec.backend_config"),
        (ENDPOINT, {"backend_config": {"udp-port": "65536"}}, "spec.backend_config"),
        (ENDPOINT, {"backend_config": {"udp-port": 4500}}, "spec.backend_config.udp-port"),
        (ENDPOINT, {"cluster_id": "East"}, "spec.cluster_id"),
        (ENDPOINT, {"cluster_id": "e" * 64}, "spec.cluster_id"),
        (ENDPOINT, {"nat_enabled": "yes"}, "spec.nat_enabled"),
        (CLUSTER, {"cluster_cidr": ["10.244.0.0/16", "10.245.0.7/16"]}, "spec.cluster_cidr[1]"),
        (CLUSTER, {"service_cidr": []}, "spec.service_cidr"),
    ],
)
def test_a_bad_value_is_a_422_that_names_its_field(server: APIServer, base: Json, spec: Json, field: str) -> None:
    status = refusal(server, base, **spec)
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["message"].startswith(f'{base["kind"]}.submariner.io "{base["metadata"]["name"]}" is invalid: ')
    assert f"{field}: " in status["message"]
    assert field in [cause["field"] for cause in status["details"]["causes"]]


def test_the_refused_value_is_shown(server: APIServer) -> None:
    message = refusal(server, ENDPOINT, subnets=["10.96.0.1/16"])["message"]
    assert 'spec.subnets[0]: Invalid value: "10.96.0.1/16": must not have host bits set' in message


def test_the_cluster_id_cannot_change(server: APIServer) -> None:
    server.api.create(RESOURCES["Endpoint"], ENDPOINT)
    with pytest.raises(StatusError, match=r"spec\.cluster_id: Invalid value: \"west\": is immutable"):
        server.api.patch(RESOURCES["Endpoint"], "east-gw", {"spec": {"cluster_id": "west"}}, namespace="default")
    server.api.patch(RESOURCES["Endpoint"], "east-gw", {"spec": {"hostname": "gw2"}}, namespace="default")
    server.api.delete(RESOURCES["Endpoint"], "east-gw", "default")


def test_a_definition_that_is_not_structural_is_refused(server: APIServer) -> None:
    bad = copy.deepcopy(definitions()[0])
    bad["spec"]["names"].update(plural="others", kind="Other", singular="other", listKind="OtherList", shortNames=[])
    bad["metadata"]["name"] = "others.l3conf.io"
    del bad["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"]
    with pytest.raises(StatusError, match=r"openAPIV3Schema\.properties\[spec\]\.type: Required value"):
        server.api.create("customresourcedefinitions.apiextensions.k8s.io", bad)
