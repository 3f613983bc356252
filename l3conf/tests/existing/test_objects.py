"""What a run makes, may do, and leaves."""

from __future__ import annotations

import datetime as dt
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from l3conf.labs.existing.objects import LEASE_SECONDS, MANAGED, RUN_LABEL, RunObjects, micro_time, subject_of
from l3conf.labs.existing.remains import DEAD_AFTER, remnant
from l3conf.labs.existing.rights import OWN_NAMESPACE_ROLE, needed, roles, roles_text
from l3conf.model.topology import ClusterSpec, NodeSpec

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
EAST = ClusterSpec(
    name="east",
    pod_cidrs=(ip_network("10.1.0.0/16"),),
    service_cidrs=(ip_network("10.101.0.0/16"),),
    node_cidrs=(),
    nodes=(NodeSpec(name="n1", gateway=True), NodeSpec(name="n2")),
)
ME = subject_of("system:serviceaccount:ci:l3conf")


def objects(*, host_network: bool = False) -> RunObjects:
    return RunObjects(run="0a1b2c3d", image="registry.example/probe:v2", host_network=host_network, holder="me@here")


def made(*, host_network: bool = False) -> list[dict[str, Any]]:
    return objects(host_network=host_network).of(EAST, ME, NOW)


def test_everything_is_in_namespaces_of_the_run_and_bears_its_label() -> None:
    for host_network in (False, True):
        own = set(objects(host_network=host_network).namespaces)
        for obj in made(host_network=host_network):
            metadata = obj["metadata"]
            assert (metadata["name"] if obj["kind"] == "Namespace" else metadata["namespace"]) in own
            assert metadata["labels"].items() >= {**MANAGED, RUN_LABEL: "0a1b2c3d"}.items()


def test_a_namespace_comes_first_and_the_right_to_fill_it_second() -> None:
    kinds = [obj["kind"] for obj in made(host_network=True)]
    assert kinds[:3] == ["Namespace", "RoleBinding", "Lease"]
    assert kinds[3:].index("RoleBinding") == kinds[3:].index("Namespace") + 1


def test_probe_pods_are_what_the_restricted_standard_admits() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    namespace, *_ = made()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [obj["spec"] for obj in made() if obj["kind"] == "Pod"]
    assert [pod["nodeName"] for pod in pods] == ["n1", "n2"]
    for pod in pods:
        (container,) = pod["containers"]
        security = container["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} == {"emptyDir"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert container["image"] == "registry.example/probe:v2"
        assert {one["name"] for one in pod["securityContext"]["sysctls"]} <= {"net.ipv4.ping_group_range"}


def test_pods_in_nodes_networks_are_places_of_their_nodes() -> None:
    pods = [obj for obj in made(host_network=True) if obj["kind"] == "Pod" and obj["spec"].get("hostNetwork")]
    assert [pod["metadata"]["name"] for pod in pods] == ["host-n1", "host-n2"]
    for pod, place in zip(pods, ("east@n1", "east@n2"), strict=True):
        (container,) = pod["spec"]["containers"]
        assert {"name": "L3CONF_PLACE", "value": place} in container["env"]
        assert objects(host_network=True).places(EAST)[place] == (
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
        )
        assert "sysctls" not in pod["spec"]["securityContext"], "they would be the node's"


def test_every_pod_is_a_place_under_the_name_that_it_is_told() -> None:
    places = objects(host_network=True).places(EAST)
    told = {
        next(each["value"] for each in obj["spec"]["containers"][0]["env"] if each["name"] == "L3CONF_PLACE"): (
            obj["metadata"]["namespace"],
            obj["metadata"]["name"],
        )
        for obj in made(host_network=True)
        if obj["kind"] == "Pod"
    }
    assert told == places


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("system:serviceaccount:ci:l3conf", {"kind": "ServiceAccount", "namespace": "ci", "name": "l3conf"}),
        ("jane@example.com", {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane@example.com"}),
    ],
)
def test_a_run_binds_its_own_user(user: str, subject: dict[str, str]) -> None:
    assert subject_of(user) == subject


def test_no_right_reaches_beyond_what_the_file_says() -> None:
    """Nothing in other namespaces may be written, and nobody's pods or secrets be entered or read."""
    cluster_wide = next(role for role in roles() if role["metadata"]["name"] == "l3conf")
    resources = {resource for rule in cluster_wide["rules"] for resource in rule["resources"]}
    assert not {"pods", "pods/exec", "pods/log", "secrets", "services", "*"} & resources
    writing = {"create", "delete", "patch", "update", "bind", "escalate", "*"}
    written = {
        (resource, verb)
        for rule in cluster_wide["rules"]
        for resource in rule["resources"]
        for verb in writing & {*rule["verbs"]}
    }
    assert written == {
        ("namespaces", "create"),
        ("namespaces", "delete"),
        ("rolebindings", "create"),
        ("clusterroles", "bind"),
    }


def test_the_preflight_asks_for_what_no_run_can_do_without() -> None:
    asked = {str(right) for right in needed()}
    assert {"create namespaces", "list nodes", "watch gateways.submariner.io"} <= asked
    assert f"bind clusterroles.rbac.authorization.k8s.io/{OWN_NAMESPACE_ROLE}" in asked
    assert not {right for right in asked if "servicecidrs" in right or "kubeadm" in right}
    attributes = next(right for right in needed() if right.name).review()["spec"]["resourceAttributes"]
    assert attributes["name"] == OWN_NAMESPACE_ROLE


def test_what_is_printed_for_administrators_says_how_to_use_it() -> None:
    assert "kubectl --context CONTEXT create clusterrolebinding l3conf" in roles_text()


def test_the_admission_policy_of_the_documentation_lets_a_run_have_its_own_namespaces_alone() -> None:
    text = (Path(__file__).parents[3] / "docs" / "existing-clusters.md").read_text(encoding="utf-8")
    policy, binding = yaml.safe_load_all(text.partition("```yaml\n")[2].partition("```")[0])
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    (rule,) = policy["spec"]["validations"]
    pattern = re.search(r'matches\("(.+)"\)', rule["expression"])
    assert pattern is not None
    own = objects(host_network=True).namespaces
    assert [bool(re.search(pattern[1], name)) for name in (*own, "production", "l3conf", "x-l3conf-0a1b2c3d")] == [
        *(True for _ in own),
        *(False,) * 3,
    ]


def namespace(**metadata: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    labels = {**MANAGED, RUN_LABEL: "0a1b2c3d"}
    return {
        "metadata": {
            "name": "l3conf-0a1b2c3d",
            "labels": labels,
            "creationTimestamp": "2029-12-31T23:59:00Z",
            **metadata,
        }
    }


def claim(age: dt.timedelta) -> dict[str, Any]:
    return {"spec": {"holderIdentity": "me@here", "renewTime": micro_time(NOW - age)}}


def test_a_run_counts_as_dead_when_its_claim_has_not_been_renewed_for_long() -> None:
    for age, dead in ((dt.timedelta(seconds=2 * LEASE_SECONDS), False), (DEAD_AFTER + dt.timedelta(seconds=1), True)):
        found = remnant(namespace(), claim(age))
        assert found is not None
        assert (found.run, found.holder, found.is_dead(NOW)) == ("0a1b2c3d", "me@here", dead)


def test_without_a_claim_the_age_of_the_namespace_counts() -> None:
    young = remnant(namespace(), {})
    old = remnant(namespace(creationTimestamp="2029-12-31T20:00:00Z"), {})
    assert young is not None
    assert old is not None
    assert (young.is_dead(NOW), old.is_dead(NOW)) == (False, True)


def test_a_run_whose_claim_is_not_ours_to_read_is_never_given_up() -> None:
    """Somebody else's credential runs it: it may well live."""
    old = remnant(namespace(creationTimestamp="2029-12-31T20:00:00Z"), None)
    assert old is not None
    assert not old.is_dead(NOW)
    assert "not ours to read" in old.doubt


@pytest.mark.parametrize(
    "others",
    [
        namespace(labels={}),
        namespace(name="production"),
        namespace(deletionTimestamp="2029-12-31T23:59:30Z"),
    ],
)
def test_what_is_not_a_runs_own_is_never_a_remnant(others: dict[str, Any]) -> None:
    """Somebody who copied the label onto a namespace of his own does not lose it."""
    assert remnant(others, claim(DEAD_AFTER * 2)) is None
