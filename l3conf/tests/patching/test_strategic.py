"""Strategic merge patches change lists item by item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.patching.element_order import by_key, ordered
from l3conf.emulator.apiserver.patching.errors import MalformedPatchError
from l3conf.emulator.apiserver.patching.strategic import strategic_merge_patch
from l3conf.emulator.apiserver.schemas import builtin


def patched_pod(spec: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = strategic_merge_patch({"spec": spec}, {"spec": patch}, builtin.schema("v1", "Pod"))
    return dict(result["spec"])


def test_containers_merge_by_name() -> None:
    spec = {"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}
    patch = {"containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}]}
    merged = patched_pod(spec, patch)
    assert merged["containers"][0] == {
        "name": "a",
        "image": "2",
        "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}],
    }
    assert merged["containers"][1] == {"name": "b"}


def test_tolerations_are_replaced_as_a_whole() -> None:
    merged = patched_pod({"tolerations": [{"key": "a"}, {"key": "b"}]}, {"tolerations": [{"key": "c"}]})
    assert merged == {"tolerations": [{"key": "c"}]}


def test_null_removes_a_key_and_never_stays() -> None:
    merged = patched_pod({"nodeName": "n"}, {"nodeName": None, "hostname": None, "affinity": {"nodeAffinity": None}})
    assert merged == {"affinity": {}}


def test_delete_directive_removes_the_item_with_that_key() -> None:
    merged = patched_pod({"volumes": [{"name": "a"}, {"name": "b"}]}, {"volumes": [{"$patch": "delete", "name": "a"}]})
    assert merged == {"volumes": [{"name": "b"}]}


def test_replace_directive_in_a_list_drops_what_was_there() -> None:
    spec = {"volumes": [{"name": "a"}, {"name": "b"}]}
    assert patched_pod(spec, {"volumes": [{"$patch": "replace"}, {"name": "c"}]}) == {"volumes": [{"name": "c"}]}


def test_replace_directive_in_an_object_drops_what_was_there() -> None:
    spec = {"securityContext": {"runAsUser": 1, "fsGroup": 2}}
    merged = patched_pod(spec, {"securityContext": {"$patch": "replace", "runAsUser": 3}})
    assert merged == {"securityContext": {"runAsUser": 3}}


def test_retain_keys_switches_the_source_of_a_volume() -> None:
    spec = {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}
    patch = {"volumes": [{"$retainKeys": ["name", "emptyDir"], "name": "v", "emptyDir": {}}]}
    assert patched_pod(spec, patch) == {"volumes": [{"name": "v", "emptyDir": {}}]}


def test_retain_keys_must_cover_the_patch() -> None:
    with pytest.raises(MalformedPatchError, match="hostPath"):
        patched_pod({}, {"volumes": [{"$retainKeys": ["name"], "name": "v", "hostPath": {"path": "/x"}}]})


def test_finalizers_are_added_and_deleted_one_by_one() -> None:
    schema = builtin.schema("v1", "Pod")
    live = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic_merge_patch(live, {"metadata": {"finalizers": ["c"]}}, schema)
    assert added == {"metadata": {"finalizers": ["c", "a", "b"]}}  # new items come first, as in Kubernetes
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(live, patch, schema) == {"metadata": {"finalizers": ["b"]}}


def test_set_element_order_orders_the_list() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "a", "image": "i"}]}
    merged = patched_pod(spec, patch)
    assert [container["name"] for container in merged["containers"]] == ["b", "c", "a"]
    assert "$setElementOrder/containers" not in merged


def test_service_ports_merge_by_port() -> None:
    live = {"spec": {"ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 81}]}}
    merged = strategic_merge_patch(live, patch, builtin.schema("v1", "Service"))
    assert merged["spec"]["ports"] == [
        {"port": 80, "nodePort": 30080, "protocol": "TCP", "targetPort": 8080},
        {"port": 81},
    ]


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(MalformedPatchError, match="does not contain declared merge key: name"):
        patched_pod({}, {"containers": [{"image": "x"}]})


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(MalformedPatchError, match="shred"):
        patched_pod({}, {"securityContext": {"$patch": "shred"}})


containers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcdef")}, optional={"image": st.sampled_from("xyz")}),
    unique_by=lambda item: item["name"],
)


@given(live=containers, patch=containers)
def test_patching_twice_changes_nothing_more(live: list[dict[str, Any]], patch: list[dict[str, Any]]) -> None:
    once = patched_pod({"containers": live}, {"containers": patch})
    assert patched_pod(once, {"containers": patch}) == once


@given(live=containers, patch=containers)
def test_every_container_of_both_survives_once(live: list[dict[str, Any]], patch: list[dict[str, Any]]) -> None:
    merged = patched_pod({"containers": live}, {"containers": patch})["containers"]
    names = [item["name"] for item in merged]
    assert sorted(names) == sorted({item["name"] for item in live + patch})


@given(live=st.lists(st.integers(0, 9), unique=True), wanted=st.lists(st.integers(0, 9), unique=True))
def test_order_keeps_the_wanted_order_and_loses_nothing(live: list[int], wanted: list[int]) -> None:
    merged = live + [item for item in wanted if item not in live]
    result = ordered(merged, wanted, live, by_key(""))
    assert sorted(result) == sorted(merged)
    assert [item for item in result if item in wanted] == wanted
    assert [item for item in result if item not in wanted] == [item for item in live if item not in wanted]
