"""Unmodified kubectl against a server that listens."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from l3conf.tests.apiserver.hosting import PATIENCE
from l3conf.tests.apiserver.manifests import GADGETS, config_map, gadget, gadgets, pod, service

if TYPE_CHECKING:
    from l3conf.tests.apiserver.hosting import Hosted

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"app": "d"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {
            "metadata": {"labels": {"app": "d"}},
            "spec": {"containers": [{"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


def follow(kube: Hosted, *args: str) -> subprocess.Popen[str]:
    """Start a kubectl that goes on until it is terminated."""
    return subprocess.Popen(
        ["kubectl", *args],  # noqa: S607 - found on the PATH given below
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kube.environment,
    )


def lines_until(process: subprocess.Popen[str], count: int) -> list[str]:
    """Read ``count`` lines, then end the process."""
    assert process.stdout is not None
    try:
        return [process.stdout.readline().rstrip() for _ in range(count)]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_it_finds_out_what_is_served(kube: Hosted) -> None:
    assert "Server Version: v1.32" in kube.kubectl("version")
    assert "is running at" in kube.kubectl("cluster-info")
    resources = kube.kubectl("api-resources", "--no-headers")
    assert "daemonsets" in resources
    assert "endpointslices" in resources
    assert kube.kubectl("get", "--raw", "/readyz") == "ok"
    assert "FIELD: image <string>" in kube.kubectl("explain", "pods.spec.containers.image")
    assert "doesn't have a resource type" in kube.kubectl("get", "nonsense", check=False)


def test_typed_commands_send_protobuf_and_are_understood(kube: Hosted) -> None:
    kube.kubectl("create", "namespace", "n")
    kube.kubectl("create", "deployment", "d", "--image=i:1", "--replicas=0", "--port=80", "-n", "n")
    made = json.loads(kube.kubectl("get", "deployment", "d", "-n", "n", "-o", "json"))
    assert made["spec"]["replicas"] == 0
    assert made["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    kube.kubectl("create", "secret", "generic", "s", "--from-literal=a=b", "-n", "n")
    assert kube.kubectl("get", "secret", "s", "-n", "n", "-o", "jsonpath={.data.a}") == "Yg=="
    kube.kubectl("create", "role", "r", "--verb=get,list", "--resource=pods", "-n", "n")
    kube.kubectl("create", "rolebinding", "b", "--role=r", "--serviceaccount=n:default", "-n", "n")
    as_account = ("--as=system:serviceaccount:n:default", "-n", "n")
    assert kube.kubectl("auth", "can-i", "list", "pods", *as_account) == "yes\n"
    assert "no" in kube.kubectl("auth", "can-i", "delete", "pods", *as_account, check=False)
    assert "cannot delete resource" in kube.kubectl("delete", "pod", "x", *as_account, check=False)


def test_client_side_apply_changes_what_changed(kube: Hosted) -> None:
    text = json.dumps(
        {
            "kind": "List",
            "apiVersion": "v1",
            "items": [DEPLOYMENT, {**service(), "kind": "Service", "apiVersion": "v1"}],
        }
    )
    kube.kubectl("apply", "-f", "-", stdin=text)
    assert "unchanged" in kube.kubectl("apply", "-f", "-", stdin=text)
    answer = kube.kubectl("apply", "-f", "-", stdin=text.replace("i:1", "i:2"))
    assert "deployment.apps/d configured" in answer
    assert kube.kubectl("get", "deployment", "d", "-o", "jsonpath={.spec.template.spec.containers[*].image}") == "i:2"
    refusal = kube.kubectl("apply", "-f", "-", stdin=text.replace("replicas", "replicaz"), check=False)
    assert 'unknown field "spec.replicaz"' in refusal


def test_server_side_apply_keeps_fields_with_their_managers(kube: Hosted) -> None:
    text = json.dumps(DEPLOYMENT)
    kube.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    other = text.replace('"replicas": 2', '"replicas": 5')
    refusal = kube.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, check=False)
    assert 'conflict with "kubectl": .spec.replicas' in refusal
    kube.kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=other)
    assert kube.kubectl("get", "deployment", "d", "-o", "jsonpath={.spec.replicas}") == "5"


def test_objects_are_labelled_patched_scaled_and_dry_run(kube: Hosted) -> None:
    kube.kubectl("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    kube.kubectl("label", "deployment", "d", "a=b")
    kube.kubectl("annotate", "deployment", "d", "c=d")
    assert "\nd " in kube.kubectl("get", "deployment", "-l", "a=b,app in (d)")
    kube.kubectl("scale", "deployment", "d", "--replicas=4")
    kube.kubectl("set", "image", "deployment/d", "c=i:3")
    kube.kubectl("patch", "deployment", "d", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/a"}]')
    found = json.loads(kube.kubectl("get", "deployment", "d", "-o", "json"))
    assert found["spec"]["replicas"] == 4
    assert found["metadata"]["labels"] == {"app": "d"}
    kube.kubectl(
        "create",
        "--dry-run=server",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", **config_map()}),
    )
    assert "not found" in kube.kubectl("get", "configmap", "m", check=False)


def test_rollout_status_waits_for_the_controller(kube: Hosted) -> None:
    kube.kubectl("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    waiting = follow(kube, "rollout", "status", "deployment/d")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    status = {"status": {"observedGeneration": 1, **counts}}
    kube.call(kube.server.api.patch, "deployments.apps", "d", status, namespace="default", subresource="status")
    output, _ = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0
    assert "successfully rolled out" in output


def test_definitions_are_served_at_once(kube: Hosted) -> None:
    kube.kubectl("apply", "-f", "-", stdin=json.dumps(gadgets()))
    kube.kubectl("wait", "--for=condition=Established", f"crd/{GADGETS}")
    kube.kubectl("apply", "-f", "-", stdin=json.dumps(gadget()))
    table = kube.kubectl("get", "gd").splitlines()
    assert table[0].split() == ["NAME", "SIZE"]
    assert table[1].split() == ["g", "3"]
    assert (
        kube.kubectl("get", "gadgets.v1beta1.example.org", "g", "-o", "jsonpath={.apiVersion}") == "example.org/v1beta1"
    )
    assert "How big it is." in kube.kubectl("explain", "gadget.spec.size")
    kube.kubectl("scale", "gd/g", "--replicas=4")
    assert kube.kubectl("get", "gd", "g", "-o", "jsonpath={.spec.replicas}") == "4"
    refusal = kube.kubectl("apply", "-f", "-", stdin=json.dumps(gadget("bad", size=0, range="x")), check=False)
    assert "spec.size: Invalid value: 0" in refusal
    kube.kubectl("delete", "crd", GADGETS)
    assert kube.kubectl("get", "gd", check=False)


def test_a_watch_prints_changes_as_they_happen(kube: Hosted) -> None:
    kube.call(kube.server.api.create, "pods", pod())
    watching = follow(kube, "get", "pods", "--watch")
    assert watching.stdout is not None
    first = [watching.stdout.readline().split()[:3] for _ in range(2)]
    status = {"status": {"phase": "Running", "containerStatuses": [{"name": "c", "ready": True}]}}
    kube.call(kube.server.api.patch, "pods", "p", status, namespace="default", subresource="status")
    then = lines_until(watching, 1)
    assert first == [["NAME", "READY", "STATUS"], ["p", "0/1", "Pending"]]
    assert then[0].split()[:3] == ["p", "1/1", "Running"]


def test_wait_ends_when_the_condition_comes_true(kube: Hosted) -> None:
    kube.call(kube.server.api.create, "pods", pod())
    waiting = follow(kube, "wait", "--for=condition=Ready", "pod/p")
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    kube.call(kube.server.api.patch, "pods", "p", status, namespace="default", subresource="status")
    output, _ = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, output) == (0, "pod/p condition met\n")


def test_delete_waits_until_the_kubelet_lets_go(kube: Hosted) -> None:
    kube.call(kube.server.api.create, "pods", pod(nodeName="n1"))
    marked: list[str] = []

    def on_event(event: str, obj: dict[str, object]) -> None:
        if event == "MODIFIED":
            marked.append(event)
            kube.server.api.delete("pods", "p", "default", grace_period_seconds=0)
        assert obj

    kube.call(kube.server.api.subscribe, "pods", on_event)
    assert 'pod "p" deleted' in kube.kubectl("delete", "pod", "p")
    assert marked == ["MODIFIED"]


def test_describe_shows_a_pod_and_its_events(kube: Hosted) -> None:
    made = kube.call(kube.server.api.create, "pods", pod())
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default", "uid": made["metadata"]["uid"]},
        "reason": "Scheduled",
        "message": "Assigned to n1",
        "count": 1,
        "source": {"component": "scheduler"},
    }
    kube.call(kube.server.api.create, "events", event)
    shown = kube.kubectl("describe", "pod", "p")
    assert "Service Account:  default" in shown
    assert "Assigned to n1" in shown


def test_logs_are_printed_tailed_and_followed(kube: Hosted) -> None:
    kube.call(kube.server.api.create, "pods", pod())
    assert kube.kubectl("logs", "p") == "first\nsecond\n"
    assert kube.kubectl("logs", "p", "--tail=1") == "second\n"
    assert kube.kubectl("logs", "p", "--previous") == "previous\n"
    following = follow(kube, "logs", "-f", "p")
    assert following.stdout is not None
    assert [following.stdout.readline() for _ in range(2)] == ["first\n", "second\n"]
    kube.call(kube.pods.more_log.set)
    output, _ = following.communicate(timeout=PATIENCE)
    assert output == "third\n"


def test_exec_carries_both_ways_and_tells_the_exit_code(kube: Hosted) -> None:
    kube.call(kube.server.api.create, "pods", pod())
    assert kube.kubectl("exec", "p", "--", "echo", "hello", "there") == "hello there\n"
    text = "line\n" * 100_000
    assert kube.kubectl("exec", "-i", "p", "--", "cat", stdin=text) == text
    assert "exit code 7" in kube.kubectl("exec", "p", "--", "fail", "7", check=False)
    assert "NotFound" in kube.kubectl("exec", "nobody", "--", "echo", check=False)


def test_a_token_speaks_for_its_account_until_the_account_is_gone(kube: Hosted) -> None:
    token = kube.kubectl("create", "token", "default").strip()
    mine = ("--token", token)
    kubeconfig = kube.kubeconfig.read_text()
    bare = kube.directory / "bare"
    bare.write_text("\n".join(line for line in kubeconfig.splitlines() if "token:" not in line))
    who = ("--kubeconfig", str(bare), *mine)
    assert "system:serviceaccount:default:default" in kube.kubectl(*who, "auth", "whoami")
    assert "Forbidden" in kube.kubectl(*who, "get", "secrets", check=False)
    kube.kubectl("delete", "serviceaccount", "default")
    assert "logged in to the server" in kube.kubectl(*who, "auth", "whoami", check=False)
