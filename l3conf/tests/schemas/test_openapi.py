"""OpenAPI documents hold what kubectl looks for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from l3conf.emulator.apiserver.schemas import openapi, openapi_documents
from l3conf.emulator.apiserver.schemas.openapi import ServedResource

POD = ServedResource("", "v1", "Pod", "pods", namespaced=True, subresources=frozenset({"status", "log"}))
NODE = ServedResource("", "v1", "Node", "nodes", namespaced=False)
THING = ServedResource(
    "example.org",
    "v1",
    "Thing",
    "things",
    namespaced=True,
    crd_schema={
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string", "description": "An a."}}}},
    },
)
REVIEW = ServedResource(
    "authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False, verbs=frozenset({"create"})
)


def references(value: Any) -> set[str]:  # noqa: ANN401
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def component_of(document: dict[str, Any], identity: dict[str, str]) -> dict[str, Any]:
    schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
    return next(schema for schema in schemas.values() if identity in schema.get("x-kubernetes-group-version-kind", []))


@pytest.mark.parametrize("resource", [POD, THING, REVIEW], ids=lambda resource: resource.kind)
def test_every_reference_leads_somewhere(resource: ServedResource) -> None:
    document = openapi.document(resource.group, resource.version, [resource])
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known


@pytest.mark.parametrize("resource", [POD, THING], ids=lambda resource: resource.kind)
def test_patches_declare_field_validation_and_dry_run(resource: ServedResource) -> None:
    document = openapi.document(resource.group, resource.version, [resource])
    patches = [item["patch"] for item in document["paths"].values() if "patch" in item]
    assert patches
    for patch in patches:
        assert {"dryRun", "fieldManager", "fieldValidation", "force"} == {p["name"] for p in patch["parameters"]}
        assert patch["x-kubernetes-group-version-kind"]["kind"] == resource.kind


def test_only_built_in_kinds_take_strategic_merge_patches() -> None:
    for resource, expected in ((POD, True), (THING, False)):
        document = openapi.document(resource.group, resource.version, [resource])
        patch = next(item["patch"] for item in document["paths"].values() if "patch" in item)
        assert ("application/strategic-merge-patch+json" in patch["requestBody"]["content"]) is expected


def test_paths_are_those_of_the_api() -> None:
    paths = openapi.document("", "v1", [POD, NODE])["paths"]
    pods = "/api/v1/namespaces/{namespace}/pods"
    assert {"/api/v1/pods", pods, f"{pods}/{{name}}", f"{pods}/{{name}}/log", f"{pods}/{{name}}/status"} <= set(paths)
    assert {"/api/v1/nodes", "/api/v1/nodes/{name}"} <= set(paths)
    assert set(openapi.document(REVIEW.group, "v1", [REVIEW])["paths"]) == {
        "/apis/authentication.k8s.io/v1/tokenreviews"
    }


def test_built_in_fields_are_described() -> None:
    document = openapi.document("", "v1", [POD])
    pod = component_of(document, {"group": "", "version": "v1", "kind": "Pod"})
    assert "Pod is a collection of containers" in pod["description"]
    reference = pod["properties"]["spec"]["allOf"][0]["$ref"].rpartition("/")[2]
    spec = document["components"]["schemas"][reference]
    assert spec["required"] == ["containers"]
    assert spec["properties"]["containers"]["description"].startswith("List of containers")


def test_custom_kinds_keep_their_words_and_get_metadata() -> None:
    document = openapi.document("example.org", "v1", [THING])
    thing = component_of(document, {"group": "example.org", "version": "v1", "kind": "Thing"})
    assert thing["properties"]["spec"]["properties"]["a"]["description"] == "An a."
    assert "allOf" in thing["properties"]["metadata"]


def test_the_index_names_the_content() -> None:
    first = openapi_documents.index([THING, POD])
    assert list(first["paths"]) == ["api/v1", "apis/example.org/v1"]
    url = first["paths"]["apis/example.org/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/example.org/v1?hash=")
    changed = dataclasses.replace(THING, crd_schema={"type": "object"})
    assert openapi_documents.index([changed])["paths"]["apis/example.org/v1"]["serverRelativeURL"] != url


def test_a_document_follows_its_schema_and_is_made_once() -> None:
    path = "apis/example.org/v1"
    before = openapi_documents.body(path, [POD, THING])
    assert openapi_documents.body(path, [POD, THING]) is before
    changed = dataclasses.replace(THING, crd_schema={"type": "object", "description": "Another."})
    assert b"Another." in (openapi_documents.body(path, [POD, changed]) or b"")
    assert openapi_documents.body("apis/nowhere/v1", [POD]) is None


def test_equal_documents_have_equal_bytes() -> None:
    assert openapi.encode({"a": 1, "b": 2}) == openapi.encode({"b": 2, "a": 1})


def test_version_2_in_protobuf_has_its_three_fields() -> None:
    assert openapi.document_v2_protobuf() == b"\n\x032.0\x12\x15\n\nKubernetes\x12\x07v1.32.0B\x00"
