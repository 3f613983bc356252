from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_impl.drivers.api import Resource
from reference_impl.hooks.manifests import (
    AGENT,
    IDENTITY,
    account_name,
    agents,
    cleanup,
    load,
    mailbox_name,
    member_access,
    restarted_for,
    service_discovery,
    settings,
    with_variables,
)
from reference_impl.hooks.request import HookError, parse_request
from reference_impl.mutants import VARIABLE
from reference_impl.names import MAILBOX

REQUEST = {
    "apiVersion": "l3conf.io/v1alpha1",
    "verb": "join",
    "broker": {"name": "broker", "kubeconfig": "/b", "server": "https://192.0.2.2:6443"},
    "clusters": [{"name": "east", "kubeconfig": "/e", "podCIDRs": ["10.1.0.0/16"], "serviceCIDRs": ["10.101.0.0/16"]}],
    "cluster": "east",
    "workDirectory": "/w",
}
ROOT = Path(__file__).parents[3]


def _run(verb: str, request: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reference_impl.hooks", verb],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )


def test_a_verb_that_does_not_exist_is_answered_with_127() -> None:
    assert _run("canary-5f3a", REQUEST).returncode == 127


def test_an_unreadable_kubeconfig_is_one_line_without_traceback(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    request = {**REQUEST, "broker": {**REQUEST["broker"], "kubeconfig": missing}, "clusters": []}  # type: ignore[dict-item]
    result = _run("deploy", request)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert missing in result.stderr


def test_an_unreachable_api_is_one_line_without_traceback(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        """
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: secret-token}}]
"""
    )
    broker = {**REQUEST["broker"], "kubeconfig": str(kubeconfig)}  # type: ignore[dict-item]
    result = _run("deploy", {**REQUEST, "broker": broker, "clusters": []})
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "secret-token" not in result.stderr


def test_a_request_is_read() -> None:
    request = parse_request(json.dumps(REQUEST))
    assert request.member.kubeconfig == Path("/e")
    assert request.broker.server == "https://192.0.2.2:6443"


@pytest.mark.parametrize(("text", "named"), [("{}", "broker"), ("[", "request"), ('{"broker": 3}', "request")])
def test_a_bad_request_names_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(HookError, match=named):
        parse_request(text)


def test_a_cluster_that_is_not_listed_is_refused() -> None:
    with pytest.raises(HookError, match="south"):
        _ = parse_request(json.dumps({**REQUEST, "cluster": "south"})).member


def test_every_object_of_every_manifest_is_of_a_kind_that_hooks_handle() -> None:
    for folder in ("crds", "member", "broker", AGENT):
        objects = load(folder)
        assert objects
        for obj in objects:
            assert Resource.of(obj).namespaced == ("namespace" in obj["metadata"])


@pytest.mark.parametrize(
    "objects",
    [member_access("east"), member_access("east", mailbox=True)],
    ids=["common namespace", "mailbox"],
)
def test_a_member_may_change_its_own_objects_only(objects: list[dict[str, Any]]) -> None:
    roles = [obj for obj in objects if obj["kind"] == "Role"]
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "secrets" not in rule["resources"]
        if set(rule["verbs"]) & {"update", "patch", "delete"}:
            # Of these, whose name tells whose they are but cannot be known beforehand, admission is the judge.
            bound = ["endpoints"], ["serviceimports"], ["endpointslices"]
            assert rule["resources"] in bound or rule["resourceNames"] == ["east"]
    account = account_name("east")
    bindings = [obj for obj in objects if obj["kind"] == "RoleBinding" and obj["roleRef"]["kind"] == "Role"]
    for binding in bindings:
        assert [subject["name"] for subject in binding["subjects"]] == [account]
    assert [each["roleRef"]["name"] for each in bindings] == [role["metadata"]["name"] for role in roles]


def test_a_member_with_a_mailbox_may_read_policies_and_nothing_else_outside_of_it() -> None:
    objects = member_access("east", mailbox=True)
    rights = [obj for obj in objects if obj["kind"] in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")]
    elsewhere = [obj for obj in rights if obj["metadata"]["namespace"] != mailbox_name("east")]
    rules = [rule for obj in elsewhere for rule in obj.get("rules", [])]
    allowed = [(rule["resources"], rule["verbs"]) for rule in rules]
    assert allowed == [(["clusterconnectionpolicies"], ["list", "watch"])]
    (namespace,) = [obj for obj in objects if obj["kind"] == "Namespace"]
    assert (namespace["metadata"]["name"], namespace["metadata"]["labels"][MAILBOX]) == (mailbox_name("east"), "east")


def test_mailboxes_of_any_two_members_are_two_and_have_names_that_namespaces_may_have() -> None:
    ids = ["east", "east-1", "a.b", "a-b", "x" * 44, "x" * 45, "x" * 63, "y" * 63]
    names = [mailbox_name(each) for each in ids]
    assert len({*names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)


def test_who_speaks_to_the_broker_starts_anew_for_another_namespace_and_nobody_else_does() -> None:
    objects = restarted_for("box", [*agents("wireguard"), *service_discovery()])
    marked = [
        obj["metadata"]["name"]
        for obj in objects
        if obj["kind"] == "DaemonSet" and "annotations" in obj["spec"]["template"]["metadata"]
    ]
    assert marked == ["submariner-gateway", "submariner-service-discovery"]


def test_the_agent_at_the_broker_reads_no_secret_and_writes_in_no_namespace_that_is_not_named() -> None:
    objects = load(AGENT)
    rules = {obj["metadata"]["name"]: obj["rules"] for obj in objects if "rules" in obj}
    assert all(not {"secrets", "*"} & {*rule["resources"], *rule["verbs"]} for each in rules.values() for rule in each)
    everywhere = [obj["roleRef"]["name"] for obj in objects if obj["kind"] == "ClusterRoleBinding"]
    assert {verb for name in everywhere for rule in rules[name] for verb in rule["verbs"]} == {"list", "watch"}


def test_every_kind_that_a_member_may_write_at_the_broker_is_bound_to_its_writer() -> None:
    roles = [obj for obj in member_access("east") if obj["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"]]
    written = {name for rule in rules if {*rule["verbs"]} & {"create", "update"} for name in rule["resources"]}
    judged = {
        name
        for obj in load(IDENTITY)
        if obj["kind"] == "ValidatingAdmissionPolicy"
        for rule in obj["spec"]["matchConstraints"]["resourceRules"]
        for name in rule["resources"]
    }
    assert written == judged
    placed = [obj for name in ("broker/namespace.yaml", "broker/mailbox.yaml") for obj in load(name)]
    labels = [obj["metadata"]["labels"].items() for obj in placed if obj["kind"] == "Namespace"]
    bindings = [obj for obj in load(IDENTITY) if obj["kind"] == "ValidatingAdmissionPolicyBinding"]
    for binding in bindings:
        wanted = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"].items()
        assert all(wanted <= each for each in labels)


def test_agents_may_not_read_secrets() -> None:
    for obj in load("member"):
        for rule in obj.get("rules", []):
            assert "secrets" not in rule["resources"]
            assert "*" not in rule["resources"] + rule["verbs"]


def test_settings_lie_over_the_defaults() -> None:
    config_map, secret = settings({"cluster-id": "west"}, {"token": "t"})
    assert config_map["data"]["cluster-id"] == "west"
    assert config_map["data"]["cable-driver"] == "vxlan"
    assert secret["stringData"]["token"] == "t"


def test_daemon_sets_carry_a_mutants_name_only_if_there_is_one() -> None:
    for environ, expected in (({}, []), ({VARIABLE: "x"}, ["x"])):
        for obj in with_variables(load("member/gateway.yaml", "member/routeagent.yaml"), environ):
            (container,) = obj["spec"]["template"]["spec"]["containers"]
            assert [item["value"] for item in container["env"] if item["name"] == VARIABLE] == expected


def test_the_directory_of_keys_is_mounted_by_those_who_need_it_with_the_driver_that_needs_it() -> None:
    assert "hostPath" not in str(agents("vxlan") + cleanup("vxlan"))
    mounting = [obj["metadata"]["name"] for obj in agents("wireguard") + cleanup("wireguard") if "hostPath" in str(obj)]
    assert mounting == ["submariner-wireguard", "submariner-wireguard-2", "submariner-gateway", "submariner-cleanup"]


def test_the_process_that_carries_packets_is_not_replaced_with_the_agents_and_may_do_nothing_in_the_api() -> None:
    account, daemon_set = load("components/wireguard/wireguard.yaml")
    assert account["automountServiceAccountToken"] is False
    assert daemon_set["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert account["metadata"]["name"] not in str(load("member/rbac.yaml"))
