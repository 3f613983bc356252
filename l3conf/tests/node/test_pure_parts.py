"""The kubelet's decisions: images, environment, restarts, status, name resolution."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.node.container_state import ContainerState
from l3conf.emulator.node.context import APIAccess, BackOffTimes, ClusterDNS
from l3conf.emulator.node.environment import MissingReferenceError, environment, expand
from l3conf.emulator.node.field_refs import UnknownFieldError, field_value, resource_value
from l3conf.emulator.node.images import argv, find_image
from l3conf.emulator.node.name_resolution import hosts_file, resolv_conf
from l3conf.emulator.node.pod_status import PodFacts, pod_phase, pod_status, quality_of_service
from l3conf.emulator.node.probes import Thresholds
from l3conf.emulator.node.restarts import BackOff, should_restart, spoken
from l3conf.emulator.node_runtime import Image
from l3conf.tests.controllers.cluster import pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCESS = APIAccess(host="10.101.0.1", port=443, ca_pem="")
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "cm"): {"kind": "ConfigMap", "data": {"key": "value", "other": "$(key)"}},
    ("secrets", "s"): {"kind": "Secret", "data": {"password": base64.b64encode(b"hidden").decode()}},
}


def env_of(*items: dict[str, Any], **container: object) -> dict[str, str]:
    described = {"name": "c", "env": list(items), **container}
    return environment(
        pod("p"),
        described,
        image_env={"FROM_IMAGE": "yes"},
        api_access=ACCESS,
        addresses={"status.podIP": "10.1.0.2"},
        lookup=lambda resource, name: OBJECTS.get((resource, name)),
    )


def test_the_most_specific_row_of_the_image_table_need_not_be_exact() -> None:
    table = [Image(name="l3conf/probe:v1"), Image(name="l3conf/*")]
    assert find_image(table, "l3conf/probe:v1") is table[0]
    assert find_image(table, "docker.io/l3conf/probe:v2") is table[1]
    assert find_image(table, "other:v1") is None


def test_args_follow_the_entry_point_and_command_replaces_it() -> None:
    image = Image(name="x", entrypoint=("run", "it"))
    assert argv(image, {"args": ["-v"]}) == ("run", "it", "-v")
    assert argv(image, {"command": ["sh"], "args": ["-c"]}) == ("sh", "-c")


def test_later_variables_see_earlier_ones_and_double_dollars_escape() -> None:
    env = env_of({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(NONE)-$$(A)"})
    assert env["B"] == "1-$(NONE)-$(A)"
    assert env["FROM_IMAGE"] == "yes"
    assert env["KUBERNETES_SERVICE_HOST"] == "10.101.0.1"


def test_variables_come_from_fields_config_maps_and_secrets() -> None:
    env = env_of(
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        {"name": "GONE", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "x", "optional": True}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        envFrom=[{"prefix": "CM_", "configMapRef": {"name": "cm"}}],
        resources={"limits": {"cpu": "1500m"}},
    )
    assert (env["IP"], env["LABEL"], env["PASSWORD"], env["CPU"]) == ("10.1.0.2", "a", "hidden", "2")
    assert (env["CM_key"], env["CM_other"]) == ("value", "$(key)")
    assert "GONE" not in env


@pytest.mark.parametrize(
    "reference",
    [
        {"configMapKeyRef": {"name": "no", "key": "x"}},
        {"secretKeyRef": {"name": "s", "key": "x"}},
        {"fieldRef": {"fieldPath": "spec.unknown"}},
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(reference: dict[str, Any]) -> None:
    with pytest.raises(MissingReferenceError):
        env_of({"name": "X", "valueFrom": reference})


@given(st.dictionaries(st.from_regex(r"[A-Z]{1,3}", fullmatch=True), st.text(alphabet="ab", max_size=3)))
def test_expansion_leaves_text_without_references_alone(env: dict[str, str]) -> None:
    text = "plain (text) without $ references"
    assert expand(text, env) == text
    for name, value in env.items():
        assert expand(f"<$({name})>", env) == f"<{value}>"


def test_labels_are_listed_as_the_downward_api_spells_them() -> None:
    labelled = pod("p", labels={"b": 'say "x"', "a": "1"})
    assert field_value(labelled, "metadata.labels", addresses={}) == 'a="1"\nb="say \\"x\\""'


def test_quantities_are_divided_and_rounded_up() -> None:
    container = {"resources": {"limits": {"memory": "65Mi"}}}
    assert resource_value(container, {"resource": "limits.memory", "divisor": "1Mi"}, capacity={}) == "65"
    assert resource_value(container, {"resource": "limits.memory", "divisor": "1Gi"}, capacity={}) == "1"
    with pytest.raises(UnknownFieldError):
        resource_value({"resources": {"limits": {"cpu": "lots"}}}, {"resource": "limits.cpu"}, capacity={})


@pytest.mark.parametrize(
    ("longest", "delays"),
    [(300, [0, 10, 20, 40, 80, 160, 300, 300]), (100, [0, 10, 20, 40, 80, 100, 100, 100]), (2, [0] + 7 * [2])],
)
def test_restarts_back_off_as_the_kubelet_does(longest: float, delays: list[float]) -> None:
    back_off = BackOff(BackOffTimes().first, longest)
    assert [back_off.after() for _ in delays] == delays
    assert back_off.after(ran_for=599) == longest
    assert back_off.after(ran_for=601) == 0


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_the_restart_policy_decides(policy: str, code: int, *, again: bool) -> None:
    assert should_restart(policy, code) is again


def test_delays_are_spelt_as_go_does() -> None:
    assert [spoken(10), spoken(160), spoken(300)] == ["10s", "2m40s", "5m0s"]


def test_a_verdict_needs_enough_equal_outcomes_in_a_row() -> None:
    thresholds = Thresholds({"failureThreshold": 2, "successThreshold": 1})
    outcomes = [False, True, False, False, True]
    assert [thresholds.verdict(success=item) for item in outcomes] == [None, True, None, False, True]


def facts(*states: ContainerState, finished: bool = False, init: tuple[ContainerState, ...] = ()) -> PodFacts:
    address = IPv4Address("10.1.0.2")
    return PodFacts(
        pod=pod("p"),
        host_addresses=[IPv4Address("172.16.1.10")],
        addresses=[address],
        init=init,
        containers=states,
        start_time="t",
        finished=finished,
    )


def state(kind: str = "running", *, ready: bool = True, code: int = 0) -> ContainerState:
    content = {"exitCode": code} if kind == "terminated" else {}
    return ContainerState(name="c", image="i", state={kind: content}, ready=ready)


def test_phases_follow_the_containers() -> None:
    assert pod_phase(facts(state("waiting"))) == "Pending"
    assert pod_phase(facts(state())) == "Running"
    assert pod_phase(facts(state("terminated"), finished=True)) == "Succeeded"
    assert pod_phase(facts(state("terminated", code=1), finished=True)) == "Failed"
    assert pod_phase(facts(state("waiting"), finished=True, init=(state("terminated", code=1),))) == "Failed"


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    def ready(*states: ContainerState) -> str:
        conditions = pod_status(facts(*states), NOW)["conditions"]
        return next(str(item["status"]) for item in conditions if item["type"] == "Ready")

    assert ready(state(), state()) == "True"
    assert ready(state(), state(ready=False)) == "False"


def test_quality_of_service_follows_requests_and_limits() -> None:
    full = {"cpu": "1", "memory": "1Gi"}
    assert quality_of_service({"containers": [{}]}) == "BestEffort"
    assert quality_of_service({"containers": [{"resources": {"limits": full}}]}) == "Guaranteed"
    assert quality_of_service({"containers": [{"resources": {"requests": full}}]}) == "Burstable"


def test_the_resolver_knows_the_cluster_first() -> None:
    dns = ClusterDNS(servers=(IPv4Address("10.101.0.10"),))
    expected = (
        "nameserver 10.101.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    )
    assert resolv_conf(pod("p"), dns) == expected
    assert resolv_conf(pod("p", hostNetwork=True), dns) is None
    assert resolv_conf(pod("p", dnsPolicy="Default"), dns) is None
    assert resolv_conf(pod("p"), ClusterDNS()) is None


def test_dns_config_adds_to_the_policy_and_overrides_options() -> None:
    dns = ClusterDNS(servers=(IPv4Address("10.101.0.10"),))
    config = {"nameservers": ["192.0.2.1"], "searches": ["x.test"], "options": [{"name": "ndots", "value": "2"}]}
    text = resolv_conf(pod("p", dnsPolicy="None", dnsConfig=config), dns)
    assert text == "nameserver 192.0.2.1\nsearch x.test\noptions ndots:2\n"
    assert "options ndots:2" in (resolv_conf(pod("p", dnsConfig=config), dns) or "")


def test_the_hosts_file_names_the_pod_and_its_aliases() -> None:
    text = hosts_file(
        pod("p", hostname="h", subdomain="s", hostAliases=[{"ip": "192.0.2.1", "hostnames": ["x", "y"]}]),
        ["10.1.0.2"],
        ClusterDNS(),
    )
    assert "10.1.0.2\th.s.default.svc.cluster.local\th\n" in text
    assert "192.0.2.1\tx y\n" in text
