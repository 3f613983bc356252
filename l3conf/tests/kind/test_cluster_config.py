"""Configurations of kind, held against the schema of what kind reads."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from l3conf.labs.kind.claim import owner
from l3conf.labs.kind.cluster_config import broker_config, member_config, text_of
from l3conf.labs.kind.naming import names_of
from l3conf.labs.kind.settings import KindSettings
from l3conf.labs.kind.standing import can_stand
from l3conf.tests.kind.conftest import TOPOLOGIES, topology

SCHEMA = yaml.safe_load(Path(__file__).with_name("kind-v1alpha4.schema.yaml").read_text())
STANDING = sorted(f.stem for f in TOPOLOGIES.glob("*.yaml") if can_stand(topology(f.stem), KindSettings()))
FLANNEL = KindSettings(
    cni="flannel", cni_manifests=("https://example.org/flannel.yml",), node_image="kindest/node:v1.33.1"
)


def validate(config: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(config)


@pytest.mark.parametrize("settings", [KindSettings(), FLANNEL], ids=["kindnet", "flannel"])
@pytest.mark.parametrize("name", STANDING)
def test_every_configuration_is_what_kind_reads(name: str, settings: KindSettings) -> None:
    of = topology(name)
    names = names_of(of, settings, owner())
    configs = [broker_config(names.broker, of, settings)]
    configs += [member_config(names.cluster(each.name), each, settings) for each in of.clusters]
    for config in configs:
        written = yaml.safe_load(text_of(config))
        validate(written)
        subnets = [ip_network(part) for part in written["networking"]["podSubnet"].split(",")]
        families = {"ipv4": [4], "ipv6": [6], "dual": [4, 6]}[written["networking"]["ipFamily"]]
        assert [subnet.version for subnet in subnets] == families
        assert len(written["name"]) + len("-control-plane") <= 63


@pytest.mark.parametrize(
    "wrong",
    [
        {"apiVersion": "kind.x-k8s.io/v1alpha3"},
        {"nodes": [{"role": "worker"}]},
        {"networking": {"podCIDR": "10.1.0.0/16"}},
        {"networking": {"ipFamily": "IPv4"}},
        {"name": "East"},
    ],
)
def test_the_schema_refuses_what_kind_would(wrong: dict[str, Any]) -> None:
    config = member_config("east", topology("two-clusters").clusters[0], KindSettings())
    with pytest.raises(jsonschema.ValidationError):
        validate({**config, **wrong})


def test_gateways_bear_their_label_and_one_node_more_has_the_api_server() -> None:
    config = member_config("l", topology("two-clusters").clusters[0], KindSettings())
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker", "worker"]
    assert [node.get("labels") for node in config["nodes"]] == [None, {"submariner.io/gateway": "true"}, None, None]


def test_other_plugins_take_the_place_of_kindnet() -> None:
    config = member_config("l", topology("two-clusters").clusters[0], FLANNEL)
    assert config["networking"]["disableDefaultCNI"] is True
    assert {node["image"] for node in config["nodes"]} == {"kindest/node:v1.33.1"}
    assert (
        "disableDefaultCNI"
        not in member_config("l", topology("two-clusters").clusters[0], KindSettings())["networking"]
    )


def test_a_shorter_back_off_is_kubelets_own_setting() -> None:
    cluster = replace(topology("two-clusters").clusters[0], max_container_restart_period=10)
    config = member_config("l", cluster, KindSettings())
    validate(config)
    (patch,) = map(yaml.safe_load, config["kubeadmConfigPatches"])
    assert patch == {"kind": "KubeletConfiguration", "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"}}
    assert config["featureGates"] == {"KubeletCrashLoopBackOffMax": True}
