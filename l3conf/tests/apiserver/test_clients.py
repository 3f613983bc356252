"""The official Python client and lightkube, unmodified, and what is left to plain HTTP."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import kubernetes
import kubernetes.stream
import kubernetes.watch
import lightkube
import pytest
import yaml
from lightkube.config.kubeconfig import KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from l3conf.tests.apiserver.manifests import GADGETS, config_map, gadget, gadgets, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.tests.apiserver.hosting import Hosted


OfficialClient: TypeAlias = Any
OFFICIAL: Any = kubernetes
"""Its annotations do not say what it does: plain dictionaries are fine, answers are not ``object``."""


@pytest.fixture
def client(hosted: Hosted) -> Iterator[OfficialClient]:
    with OFFICIAL.config.new_client_from_config(str(hosted.kubeconfig)) as made:
        yield made
        made.rest_client.pool_manager.clear()


class Plain:
    """HTTP without a client library's opinions."""

    def __init__(self, hosted: Hosted) -> None:
        context = ssl.create_default_context(cadata=hosted.server.ca_pem)
        context.set_alpn_protocols(["h2", "http/1.1"])
        self._connection = http.client.HTTPSConnection("127.0.0.1", hosted.port, context=context, timeout=30)
        self._token = hosted.server.admin_token

    def __call__(
        self, method: str, path: str, body: bytes | str | None = None, *, token: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and decoded answer."""
        bearer = self._token if token is None else token
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        self._connection.request(method, path, body, sent)
        answer = self._connection.getresponse()
        text = answer.read()
        is_json = "json" in (answer.headers["Content-Type"] or "")
        return answer.status, json.loads(text) if is_json else text.decode()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture
def plain(hosted: Hosted) -> Iterator[Plain]:
    made = Plain(hosted)
    yield made
    made.close()


def test_the_official_client_creates_reads_patches_and_deletes(client: OfficialClient) -> None:
    core = OFFICIAL.client.CoreV1Api(client)
    core.create_namespaced_config_map("default", config_map(a="1"))
    core.patch_namespaced_config_map("m", "default", {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("m", "default").data == {"a": "1", "b": "2"}
    names = [item.metadata.name for item in core.list_namespaced_config_map("default").items]
    assert names == ["kube-root-ca.crt", "m"]
    assert core.delete_namespaced_config_map("m", "default")["status"] == "Success"
    with pytest.raises(OFFICIAL.client.ApiException) as refused:
        core.read_namespaced_config_map("m", "default")
    assert refused.value.status == 404


def test_the_official_client_watches_from_a_list(hosted: Hosted, client: OfficialClient) -> None:
    core = OFFICIAL.client.CoreV1Api(client)
    version = core.list_namespaced_config_map("default").metadata.resource_version
    for name in ("x", "y"):
        hosted.call(hosted.server.api.create, "configmaps", config_map(name))
    hosted.call(hosted.server.api.delete, "configmaps", "x", "default")
    seen = []
    watch = OFFICIAL.watch.Watch()
    for event in watch.stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 3:
            watch.stop()
    assert seen == [("ADDED", "x"), ("ADDED", "y"), ("DELETED", "x")]


def test_the_official_client_executes_and_reads_logs(hosted: Hosted, client: OfficialClient) -> None:
    hosted.call(hosted.server.api.create, "pods", pod())
    core = OFFICIAL.client.CoreV1Api(client)
    assert core.read_namespaced_pod_log("p", "default", tail_lines=1) == "second\n"
    streams = {"stdout": True, "stderr": True, "stdin": False, "tty": False, "_preload_content": False}
    connect = core.connect_get_namespaced_pod_exec
    session = OFFICIAL.stream.stream(connect, "p", "default", command=["fail", "7"], **streams)
    session.run_forever(timeout=20)
    assert session.read_stderr() == "failing\n"
    assert session.returncode == 7
    session.sock.shutdown()


def test_the_official_client_installs_definitions_and_their_objects(client: OfficialClient) -> None:
    OFFICIAL.client.ApiextensionsV1Api(client).create_custom_resource_definition(gadgets())
    custom = OFFICIAL.client.CustomObjectsApi(client)
    custom.create_namespaced_custom_object("example.org", "v1", "default", "gadgets", gadget())
    custom.patch_namespaced_custom_object_status(
        "example.org", "v1", "default", "gadgets", "g", {"status": {"phase": "up"}}
    )
    found = custom.get_namespaced_custom_object("example.org", "v1", "default", "gadgets", "g")
    assert (found["spec"]["replicas"], found["status"]) == (1, {"phase": "up"})


def test_lightkube_works_as_the_agents_use_it(hosted: Hosted) -> None:
    config = KubeConfig.from_dict(yaml.safe_load(hosted.kubeconfig.read_text()))
    client: Any = lightkube.Client(config=config, field_manager="agent")
    hosted.call(hosted.server.api.create, "customresourcedefinitions.apiextensions.k8s.io", gadgets())
    made = client.apply(ConfigMap(metadata=ObjectMeta(name="m", namespace="default"), data={"a": "1"}))
    assert made.data == {"a": "1"}
    kind = create_namespaced_resource("example.org", "v1", "Gadget", "gadgets")
    client.create(kind(metadata=ObjectMeta(name="g", namespace="default"), spec={"size": 3}))
    assert [item.metadata.name for item in client.list(kind, namespace="*")] == ["g"]
    for event, item in client.watch(kind, namespace="default", server_timeout=20):
        assert (event, item.metadata.name) == ("ADDED", "g")
        break
    client.delete(kind, "g", namespace="default")
    client.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "code", "reason"),
    [
        ("GET", "/api/v1/nonsense", None, "", 404, "NotFound"),
        ("GET", "/nowhere", None, "", 404, "NotFound"),
        ("POST", "/api/v1/namespaces/default/configmaps", "{", "application/json", 400, "BadRequest"),
        ("POST", "/api/v1/namespaces/default/configmaps", "[]", "application/json", 400, "BadRequest"),
        ("POST", "/api/v1/namespaces/default/configmaps", "{}", "application/xml", 415, "UnsupportedMediaType"),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps",
            b"k8s\x00\xff",
            "application/vnd.kubernetes.protobuf",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps",
            '{"kind":"Pod","apiVersion":"v1"}',
            "application/json",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps",
            '{"metadata":{"name":"x","namespace":"y"}}',
            "application/json",
            400,
            "BadRequest",
        ),
        ("PUT", "/api/v1/namespaces/default", '{"metadata":{"name":"other"}}', "application/json", 400, "BadRequest"),
        ("PATCH", "/api/v1/namespaces/default", "{}", "application/json", 415, "UnsupportedMediaType"),
        ("DELETE", "/api/v1/namespaces", None, "", 405, "MethodNotAllowed"),
        ("PUT", "/api/v1/namespaces/default/configmaps", "{}", "application/json", 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/namespaces/kube-system", None, "", 403, "Forbidden"),
        ("GET", "/api/v1/pods?watch=1&resourceVersion=1", None, "", 410, "Expired"),
        ("GET", "/api/v1/pods?resourceVersion=999999999", None, "", 504, "Timeout"),
        ("GET", "/api/v1/pods?resourceVersion=x", None, "", 400, "BadRequest"),
        ("GET", "/api/v1/pods?fieldSelector=spec.nonsense=1", None, "", 400, "BadRequest"),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps",
            b"x" * (3 * 1024 * 1024 + 1),
            "application/json",
            413,
            "RequestEntityTooLarge",
        ),
    ],
)
def test_what_cannot_be_served_is_a_status(
    plain: Plain, method: str, path: str, body: bytes | str | None, content_type: str, code: int, reason: str
) -> None:
    status, answer = plain(method, path, body, **({"Content_Type": content_type} if content_type else {}))
    assert (status, answer["kind"], answer["code"], answer["reason"]) == (code, "Status", code, reason)


def test_only_health_and_version_are_public(hosted: Hosted, plain: Plain) -> None:
    for path in ("/healthz", "/readyz", "/livez", "/version"):
        assert plain("GET", path, token="")[0] == 200
    assert plain("GET", "/api/v1/pods", token="")[0] == 403
    assert plain("GET", "/api/v1/pods", token="wrong")[0] == 401
    account = hosted.call(hosted.server.issue_token, "default", "default", seconds=600)
    assert plain("GET", "/api/v1/pods", token=account)[0] == 403
    assert plain("GET", "/api/v1/pods", token=account[:-2] + "xx")[0] == 401


def test_tokens_expire_and_are_for_their_audience(hosted: Hosted, plain: Plain) -> None:
    expired = hosted.call(hosted.server.issue_token, "default", "default", seconds=-1)
    elsewhere = hosted.call(hosted.server.issue_token, "default", "default", seconds=600, audiences=("elsewhere",))
    assert plain("GET", "/apis", token=expired)[0] == 401
    assert plain("GET", "/apis", token=elsewhere)[0] == 401
    review = {"spec": {"token": elsewhere, "audiences": ["elsewhere"]}}
    path, headers = "/apis/authentication.k8s.io/v1/tokenreviews", {"Content_Type": "application/json"}
    assert plain("POST", path, json.dumps(review), **headers)[1]["status"]["authenticated"] is True
    assert (
        plain("POST", path, json.dumps({"spec": {"token": elsewhere}}), **headers)[1]["status"]["authenticated"]
        is False
    )


def test_a_token_that_was_good_is_not_for_ever(hosted: Hosted, plain: Plain) -> None:
    """Its signature is not checked again; whether it is over, and whose it is, is."""
    short = hosted.call(hosted.server.issue_token, "default", "default", seconds=2)
    hosted.call(hosted.server.api.create, "serviceaccounts", {"metadata": {"name": "brief", "namespace": "default"}})
    lost = hosted.call(hosted.server.issue_token, "default", "brief", seconds=600)
    for _ in range(2):
        assert plain("GET", "/apis", token=short)[0] == plain("GET", "/apis", token=lost)[0] == 200
    hosted.call(hosted.server.api.delete, "serviceaccounts", "brief", "default")
    assert plain("GET", "/apis", token=lost)[0] == 401
    ends = time.monotonic() + 30
    while plain("GET", "/apis", token=short)[0] == 200:
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert plain("GET", "/apis", token=short)[0] == 401


def test_nobody_grants_what_they_do_not_have(hosted: Hosted, plain: Plain) -> None:
    api = hosted.server.api
    rule = {"verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}
    role = {"metadata": {"name": "r", "namespace": "default"}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    binding = {
        "metadata": {"name": "b", "namespace": "default"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [subject],
    }
    hosted.call(api.create, "roles.rbac.authorization.k8s.io", role)
    hosted.call(api.create, "rolebindings.rbac.authorization.k8s.io", binding)
    token = hosted.call(hosted.server.issue_token, "default", "default", seconds=600)
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
    more = {"metadata": {"name": "more"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]}
    status, answer = plain("POST", path, json.dumps(more), token=token, Content_Type="application/json")
    assert status == 403
    assert "not currently held" in answer["message"]
    same = {"metadata": {"name": "same"}, "rules": [rule]}
    assert plain("POST", path, json.dumps(same), token=token, Content_Type="application/json")[0] == 201


def test_a_watch_list_ends_its_beginning_with_a_bookmark(hosted: Hosted, plain: Plain) -> None:
    hosted.call(hosted.server.api.create, "configmaps", config_map())
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    connection = plain._connection
    headers = {"Authorization": f"Bearer {hosted.server.admin_token}"}
    connection.request("GET", f"/api/v1/namespaces/default/configmaps?{query}", headers=headers)
    events = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    assert [event["type"] for event in events[:3]] == ["ADDED", "ADDED", "BOOKMARK"]
    assert events[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_stopping_ends_watches_at_once(hosted: Hosted, plain: Plain) -> None:
    connection = plain._connection
    headers = {"Authorization": f"Bearer {hosted.server.admin_token}"}
    connection.request("GET", "/api/v1/pods?watch=1", headers=headers)
    answer = connection.getresponse()
    hosted.run(hosted.server.stop())
    assert answer.read() == b""


def test_no_token_is_ever_logged(hosted: Hosted, plain: Plain, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = hosted.call(hosted.server.issue_token, "default", "default", seconds=600)
    plain("GET", "/apis", token=token)
    plain("POST", "/api/v1/namespaces/default/configmaps", "{", Content_Type="application/json")
    assert token not in caplog.text
    assert hosted.server.admin_token not in caplog.text


def test_definitions_come_and_go_in_openapi(hosted: Hosted, plain: Plain) -> None:
    assert "apis/example.org/v1" not in plain("GET", "/openapi/v3")[1]["paths"]
    hosted.call(hosted.server.api.create, "customresourcedefinitions.apiextensions.k8s.io", gadgets())
    assert "apis/example.org/v1" in plain("GET", "/openapi/v3")[1]["paths"]
    hosted.call(hosted.server.api.delete, "customresourcedefinitions.apiextensions.k8s.io", GADGETS)
    assert "apis/example.org/v1" not in plain("GET", "/openapi/v3")[1]["paths"]
