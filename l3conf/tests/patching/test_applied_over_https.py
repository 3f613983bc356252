"""Server-side apply as clients see it: through a server that listens."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver import patches
from l3conf.tests.apiserver.hosting import PATIENCE, Hosted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    server = Hosted(tmp_path)
    yield server
    server.close()


def config_map(data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}, "data": data}


def daemon_set(image: str) -> dict[str, Any]:
    """Return one with fields that are replaced as a whole and have defaults within."""
    env = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": image, "env": [env]}]},
            },
        },
    }


def apply(hosted: Hosted, data: dict[str, str], manager: str) -> tuple[int, dict[str, Any]]:
    return apply_object(hosted, "api/v1/namespaces/default/configmaps/c", config_map(data), manager)


def apply_object(hosted: Hosted, path: str, intent: dict[str, Any], manager: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310 - the test's own server
        f"{hosted.url}/{path}?fieldManager={manager}",
        data=json.dumps(intent).encode(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {hosted.server.admin_token}",
            "Content-Type": "application/apply-patch+yaml",
        },
    )
    context = ssl.create_default_context(cadata=hosted.server.ca_pem)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:  # noqa: S310 - as above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_applier_may_change_its_mind_at_once(hosted: Hosted) -> None:
    for value in ("1", "2", "3"):
        code, obj = apply(hosted, {"a": value}, "ann")
        assert code in {200, 201}, obj
        assert obj["data"] == {"a": value}
    assert [(e["manager"], e["operation"]) for e in obj["metadata"]["managedFields"]] == [("ann", "Apply")]


def test_another_applier_meets_a_conflict_that_names_the_field(hosted: Hosted) -> None:
    apply(hosted, {"a": "1"}, "ann")
    code, status = apply(hosted, {"a": "2"}, "bob")
    assert (code, status["reason"]) == (409, "Conflict")
    assert [cause["field"] for cause in status["details"]["causes"]] == [".data.a"]


def test_applying_the_same_again_writes_nothing(hosted: Hosted) -> None:
    first = apply(hosted, {"a": "1"}, "ann")[1]
    assert apply(hosted, {"a": "1"}, "ann")[1] == first


def test_applying_the_same_again_later_writes_nothing_though_defaults_were_filled_in(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "apis/apps/v1/namespaces/default/daemonsets/d"
    first = apply_object(hosted, path, daemon_set("c:1"), "ann")[1]
    (env,) = first["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env["valueFrom"]["fieldRef"]["apiVersion"] == "v1", "a default within a field that is replaced as a whole"

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            return cls(2100, 1, 1, tzinfo=tz)

    monkeypatch.setattr(patches, "datetime", Later)
    assert apply_object(hosted, path, daemon_set("c:1"), "ann")[1] == first
    changed = apply_object(hosted, path, daemon_set("c:2"), "ann")[1]["metadata"]
    assert [entry["time"] for entry in changed["managedFields"]] == ["2100-01-01T00:00:00Z"]
    assert changed["generation"] == 2


def test_an_update_in_between_takes_its_field(hosted: Hosted) -> None:
    apply(hosted, {"a": "1", "b": "1"}, "ann")
    hosted.call(hosted.server.api.patch, "configmaps", "c", {"data": {"a": "9"}}, namespace="default")
    code, status = apply(hosted, {"a": "1", "b": "1"}, "ann")
    assert code == 409
    assert status["details"]["causes"][0]["field"] == ".data.a"
