"""Definitions with several versions: conversion ``None``, the change of what is stored, and versions that go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.tests.apiserver.manifests import GADGETS, gadget, gadgets

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import ClusterAPI

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


def stored_in(version: str, *, without: str = "", **change: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return Gadgets with one version stored, and ``without`` another one."""
    crd = gadgets()
    versions = [each for each in crd["spec"]["versions"] if each["name"] != without]
    crd["spec"] |= {"versions": [{**each, "storage": each["name"] == version} for each in versions], **change}
    return crd


def redefine(api: ClusterAPI, crd: dict[str, Any]) -> list[str]:
    """Put a definition in place of the one before; return what it says is stored."""
    answer = api.patch(CRDS, GADGETS, {"spec": crd["spec"]})
    stored: list[str] = answer["status"]["storedVersions"]
    return stored


def say_stored(api: ClusterAPI, *versions: str) -> None:
    api.patch(CRDS, GADGETS, {"status": {"storedVersions": list(versions)}}, subresource="status")


def test_what_was_ever_stored_is_remembered_until_it_is_said_to_be_gone(api: ClusterAPI) -> None:
    api.create(CRDS, stored_in("v1beta1") | {"status": {"storedVersions": ["v7"]}})
    assert redefine(api, stored_in("v1")) == ["v1beta1", "v1"]
    say_stored(api, "v1")
    assert api.get(CRDS, GADGETS)["status"]["storedVersions"] == ["v1"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((), "at least one stored version"),
        (("v1beta1",), "must have the storage version v1"),
        (("v1", "v7"), "must app"),
    ],
)
def test_a_status_that_cannot_be_true_is_refused(api: ClusterAPI, said: tuple[str, ...], why: str) -> None:
    api.create(CRDS, stored_in("v1"))
    with pytest.raises(StatusError, match=why):
        say_stored(api, *said)


def test_a_version_in_which_something_may_be_stored_cannot_be_taken_away(api: ClusterAPI) -> None:
    api.create(CRDS, stored_in("v1beta1"))
    redefine(api, stored_in("v1"))
    with pytest.raises(StatusError, match=r"status.storedVersions\[0\].*must appear in spec.versions"):
        redefine(api, stored_in("v1", without="v1beta1"))


def test_an_object_that_was_written_again_outlives_the_version_that_it_was_stored_in(api: ClusterAPI) -> None:
    api.create(CRDS, stored_in("v1beta1"))
    made = api.create(GADGETS, gadget(size=7))
    redefine(api, stored_in("v1"))
    again = api.update(GADGETS, made)
    assert again["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"], "it was stored anew"
    assert again["metadata"]["generation"] == made["metadata"]["generation"], "nobody wants anything else of it"
    assert api.update(GADGETS, again) == again, "and only once"
    say_stored(api, "v1")
    redefine(api, stored_in("v1", without="v1beta1"))
    assert api.get(GADGETS, "g", "default")["spec"]["size"] == 7


def test_an_object_that_was_forgotten_cannot_be_read_any_more(api: ClusterAPI) -> None:
    api.create(CRDS, stored_in("v1beta1"))
    api.create(GADGETS, gadget())
    redefine(api, stored_in("v1"))
    say_stored(api, "v1")
    redefine(api, stored_in("v1", without="v1beta1"))
    for read in (lambda: api.get(GADGETS, "g", "default"), lambda: api.list(GADGETS)):
        with pytest.raises(StatusError, match=r"invalid group/version: example\.org/v1beta1") as refused:
            read()
        assert refused.value.code == 500
    redefine(api, stored_in("v1"))
    assert api.get(GADGETS, "g", "default")["spec"]["size"] == 3


def test_what_a_version_does_not_know_it_does_not_show_and_does_not_erase(api: ClusterAPI) -> None:
    crd = stored_in("v1beta1")
    poorer = dict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])
    del poorer["range"]
    spec = {"type": "object", "properties": poorer}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    crd["spec"]["versions"][0] |= {"schema": schema, "subresources": {}}
    api.create(CRDS, stored_in("v1beta1"))
    api.create(GADGETS, gadget(range="10.0.0.0/8"))
    redefine(api, crd)
    assert "range" not in api.get(GADGETS, "g", "default")["spec"]
    redefine(api, stored_in("v1beta1"))
    assert api.get(GADGETS, "g", "default")["spec"]["range"] == "10.0.0.0/8", "reading erased nothing"


def test_a_conversion_by_webhook_is_refused_where_it_would_be_needed(api: ClusterAPI) -> None:
    with pytest.raises(StatusError, match="calls no conversion webhooks"):
        api.create(CRDS, stored_in("v1", conversion={"strategy": "Webhook"}))
    api.create(CRDS, stored_in("v1", without="v1beta1", conversion={"strategy": "Webhook"}))
