"""Custom resources are defaulted, pruned and validated in kube-apiserver's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.schemas import formats
from l3conf.emulator.apiserver.schemas.field_error import FieldReason, aggregate
from l3conf.emulator.apiserver.schemas.structural import StructuralSchema

Json = dict[str, Any]


def errors_of(schema: Json, value: Any, old: Any = None) -> list[str]:  # noqa: ANN401
    whole = StructuralSchema({"type": "object", "properties": {"x": schema}})
    return [str(error) for error in whole.validate({"x": value}, None if old is None else {"x": old})]


@pytest.mark.parametrize(
    ("schema", "value", "error"),
    [
        ({"type": "integer"}, "1", 'x: Invalid value: "string": x in body must be of type integer: "string"'),
        ({"type": "string"}, None, 'x: Invalid value: "null": x in body must be of type string: "null"'),
        ({"type": "integer"}, True, 'x: Invalid value: "boolean": x in body must be of type integer: "boolean"'),
        ({"type": "integer", "minimum": 1}, 0, "x: Invalid value: 0: x in body should be greater than or equal to 1"),
        (
            {"type": "integer", "maximum": 65535},
            65536,
            "x: Invalid value: 65536: x in body should be less than or equal to 65535",
        ),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            1,
            "x: Invalid value: 1: x in body should be greater than 1",
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'x: Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "string", "maxLength": 2}, "abc", "x: Too long: may not be more than 2 bytes"),
        ({"type": "string", "minLength": 1}, "", 'x: Invalid value: "": x in body should be at least 1 chars long'),
        ({"type": "string", "pattern": "^a$"}, "b", "x: Invalid value: \"b\": x in body should match '^a$'"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            [],
            "x: Invalid value: 0: x in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            "x: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "array", "items": {"type": "string", "format": "cidr"}},
            ["10.0.0.0/8", "10.0.0.0/33"],
            'x[1]: Invalid value: "10.0.0.0/33": x[1] in body must be of type cidr: "10.0.0.0/33"',
        ),
        ({"type": "object", "required": ["a"]}, {}, "x.a: Required value"),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'x: Invalid value: "number": x in body must be of type integer,string: "number"',
        ),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            "x: Invalid value: 2147483648: Checked value must be of type integer with format int32 in x",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            'x[1]: Duplicate value: "a"',
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_field(schema: Json, value: Any, error: str) -> None:  # noqa: ANN401
    assert errors_of(schema, value) == [error]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, "80%"),
        ({"type": "string", "format": "cidr"}, "10.0.0.1/8"),
        ({"type": "string", "format": "no-such-format"}, "anything"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a.b/c": "d"}),
    ],
)
def test_a_right_value_passes(schema: Json, value: Any) -> None:  # noqa: ANN401
    assert errors_of(schema, value) == []


def test_items_of_map_lists_are_told_apart_by_their_keys_and_defaults() -> None:
    item = {"type": "object", "properties": {"port": {"type": "integer"}, "p": {"type": "string", "default": "TCP"}}}
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "p"],
        "items": item,
    }
    assert errors_of(schema, [{"port": 1, "p": "TCP"}, {"port": 1}]) == ['x[1]: Duplicate value: {"port":1,"p":"TCP"}']
    assert errors_of(schema, [{"port": 1, "p": "UDP"}, {"port": 1}]) == []


def test_alternatives_say_how_many_matched_and_what_was_nearest() -> None:
    schema = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert errors_of(schema, {}) == [
        '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid',
        "x.a: Required value",
    ]
    assert errors_of(schema, {"a": 1, "b": 1}) == [
        '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]


def test_an_unchanged_fault_is_tolerated_on_update() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "string"}}}
    assert errors_of(schema, {"a": 1, "b": "new"}, old={"a": 1, "b": "old"}) == []
    assert len(errors_of(schema, {"a": 2}, old={"a": 1})) == 1


def test_unknown_fields_are_pruned_and_named() -> None:
    schema = StructuralSchema(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        "map": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }
            },
        }
    )
    obj = {
        "apiVersion": "x/v1",
        "kind": "X",
        "metadata": {"name": "n", "labels": {"a": "b"}},
        "spec": {"list": [{"a": "1", "b": 2}], "free": {"any": 1}, "map": {"k": "v"}, "typo": 1},
        "stray": 1,
    }
    pruned, unknown = schema.prune(obj)
    assert unknown == ["spec.list[0].b", "spec.typo", "stray"]
    assert pruned["spec"] == {"list": [{"a": "1"}], "free": {"any": 1}, "map": {"k": "v"}}
    assert pruned["metadata"] == obj["metadata"]


def test_defaults_fill_what_is_missing_all_the_way_down() -> None:
    item = {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}
    schema = StructuralSchema(
        {
            "type": "object",
            "properties": {
                "a": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 1}}},
                "l": {"type": "array", "items": item},
                "m": {"type": "object", "additionalProperties": item},
                "n": {"type": "string", "nullable": True, "default": "x"},
                "o": {"type": "string", "default": "x"},
            },
        }
    )
    obj: Json = {"l": [{}], "m": {"k": {}}, "n": None, "o": None}
    assert schema.default(obj) == {"a": {"b": 1}, "l": [{"p": "TCP"}], "m": {"k": {"p": "TCP"}}, "n": None, "o": "x"}
    assert obj == {"l": [{}], "m": {"k": {}}, "n": None, "o": None}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)
SOME_SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "default": 1},
        "b": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string", "default": "d"}}}},
    },
}


@given(st.dictionaries(st.sampled_from("abx"), values))
def test_defaulting_and_pruning_twice_change_nothing_more(obj: Json) -> None:
    schema = StructuralSchema(SOME_SCHEMA)
    once, _ = schema.prune(schema.default(obj))
    again, unknown = schema.prune(schema.default(once))
    assert again == once
    assert unknown == []


@given(values)
def test_no_value_breaks_the_validator(value: Any) -> None:  # noqa: ANN401
    errors = StructuralSchema(SOME_SCHEMA).validate(value)
    assert all(str(error) for error in errors)


def test_one_error_stands_bare_and_several_in_brackets() -> None:
    schema = StructuralSchema({"type": "object", "required": ["a", "b"]})
    errors = schema.validate({})
    assert aggregate(errors[:1]) == "a: Required value"
    assert aggregate(errors) == "[a: Required value, b: Required value]"
    assert errors[0].to_cause() == {"reason": "FieldValueRequired", "message": "Required value", "field": "a"}


def test_reasons_tell_kinds_of_errors_apart() -> None:
    schema = StructuralSchema({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}})
    assert [error.reason for error in schema.validate({"a": 1, "b": 1})] == [FieldReason.TYPE_INVALID]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("cidr", ["10.0.0.0/8", "10.1.2.3/8", "::/0", "fd00::1/64"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0"]),
        ("cidr", [], ["010.0.0.0/8", "fe80::1%eth0/64", "10.0.0.0/ 8", "10.0.0.0/-1", "", "/8"]),
        ("ipv4", ["1.2.3.4"], ["1.2.3", "1.2.3.256", "01.2.3.4", "::1", ""]),
        ("ipv6", ["::1", "fd00::"], ["1.2.3.4", "fe80::1%eth0", ":::"]),
        ("date-time", ["2024-02-29T12:00:00Z", "2024-01-01T00:00:00.5+02:00"], ["2023-02-29T12:00:00Z", "2024-01-01"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000", "123E4567e89b12d3a456426614174000"], ["123e4567"]),
        ("byte", ["", "aGk="], ["a", "a-b="]),
        ("hostname", ["node-1", "a.example.org"], ["-a", "a..b", "a" * 64, "a_b"]),
        ("duration", ["1h30m", "5ms", "22 ns", "0"], ["", "1", "h"]),
        ("mac", ["00:11:22:33:44:55"], ["00:11:22:33:44"]),
        ("k8s-short-name", ["a-1"], ["A", "-a", "a" * 64]),
    ],
)
def test_formats_are_those_of_go(name: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not formats.check(name, value)] == []
    assert [value for value in bad if formats.check(name, value)] == []
