"""JSON merge patch keeps the laws of RFC 7396; JSON patch refuses what does not fit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.patching.errors import InapplicablePatchError, MalformedPatchError
from l3conf.emulator.apiserver.patching.json_merge import merge_patch
from l3conf.emulator.apiserver.patching.json_patch import json_patch

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_agrees_with_the_rfc(target: Any, patch: Any, result: Any) -> None:  # noqa: ANN401
    assert merge_patch(target, patch) == result


@given(target=values, patch=values)
def test_merging_twice_changes_nothing_more(target: Any, patch: Any) -> None:  # noqa: ANN401
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(target=values, patch=values)
def test_merging_leaves_its_arguments_alone(target: Any, patch: Any) -> None:  # noqa: ANN401
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@given(target=st.dictionaries(st.sampled_from("abc"), values))
def test_the_empty_patch_is_neutral(target: dict[str, Any]) -> None:
    assert merge_patch(target, {}) == target


def test_a_failed_test_operation_changes_nothing() -> None:
    document = {"a": 1}
    operations = [{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 3}]
    with pytest.raises(InapplicablePatchError):
        json_patch(document, operations)
    assert document == {"a": 1}


@pytest.mark.parametrize(
    "operations", [{"op": "add"}, [{"op": "shred", "path": "/a"}], [{"op": "add", "path": "/a"}], ["add"], [3]]
)
def test_a_malformed_json_patch_is_a_bad_request(operations: Any) -> None:  # noqa: ANN401
    with pytest.raises(MalformedPatchError) as caught:
        json_patch({}, operations)
    assert caught.value.code == 400


def test_removing_what_is_not_there_does_not_fit() -> None:
    with pytest.raises(InapplicablePatchError) as caught:
        json_patch({}, [{"op": "remove", "path": "/missing"}])
    assert caught.value.code == 422
