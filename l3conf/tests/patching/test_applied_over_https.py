"""Server-side apply as clients see it: through a server that listens."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

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


def apply(hosted: Hosted, data: dict[str, str], manager: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310 - the test's own server
        f"{hosted.url}/api/v1/namespaces/default/configmaps/c?fieldManager={manager}",
        data=json.dumps(config_map(data)).encode(),
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


def test_an_update_in_between_takes_its_field(hosted: Hosted) -> None:
    apply(hosted, {"a": "1", "b": "1"}, "ann")
    hosted.call(hosted.server.api.patch, "configmaps", "c", {"data": {"a": "9"}}, namespace="default")
    code, status = apply(hosted, {"a": "1", "b": "1"}, "ann")
    assert code == 409
    assert status["details"]["causes"][0]["field"] == ".data.a"
