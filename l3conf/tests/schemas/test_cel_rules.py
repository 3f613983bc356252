"""Rules in CEL: evaluated where they stand, worded as the definition wants it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from l3conf.emulator.apiserver.schemas.cel_rules import RuleChecker
from l3conf.emulator.apiserver.schemas.structural import StructuralSchema

Json = dict[str, Any]


def ruled(rule: Json, schema: Json) -> StructuralSchema:
    return StructuralSchema({"type": "object", "properties": {"x": {**schema, "x-kubernetes-validations": [rule]}}})


def holds(rule: str, value: Any, kind: str = "object") -> bool:  # noqa: ANN401
    schema = {"type": kind, "x-kubernetes-validations": [{"rule": rule}]}
    errors = RuleChecker(schema).check(value)
    assert not any("evaluating rule" in str(error) for error in errors), errors
    return not errors


@pytest.mark.parametrize(
    "rule",
    [
        "isIP('10.0.0.1') && !isIP('10.0.0.256') && !isIP('fe80::1%eth0')",
        "ip('fd00::1').family() == 6 && ip('10.0.0.1').family() == 4",
        "ip.isCanonical('fd00::1') && !ip.isCanonical('FD00::1')",
        "ip('127.0.0.1').isLoopback() && ip('0.0.0.0').isUnspecified()",
        "ip('169.254.0.1').isLinkLocalUnicast() && ip('224.0.0.1').isLinkLocalMulticast()",
        "ip('10.0.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
        "string(ip('10.0.0.1')) == '10.0.0.1' && string(1) == '1' && string(true) == 'true'",
        "isCIDR('10.0.0.0/8') && isCIDR('10.0.0.1/8') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0')",
        "cidr('10.0.0.1/8') != cidr('10.0.0.1/8').masked() && cidr('10.0.0.0/8') == cidr('10.0.0.0/8').masked()",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "!cidr('10.0.0.0/8').containsIP('::1') && !cidr('::/0').containsCIDR('10.0.0.0/8')",
        "cidr('192.168.1.7/24').ip() == ip('192.168.1.7') && cidr('192.168.1.7/24').prefixLength() == 24",
        "string(cidr('10.1.2.3/16').masked()) == '10.1.0.0/16'",
        "'a-b-c'.split('-') == ['a', 'b', 'c']",
        "'a-b-c'.split('-', 2) == ['a', 'b-c'] && 'ab'.split('') == ['a', 'b']",
        "'ABc'.lowerAscii() == 'abc' && 'abC'.upperAscii() == 'ABC' && ' a '.trim() == 'a'",
        "'abc'.charAt(1) == 'b' && 'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3",
        "'abc'.substring(1) == 'bc' && 'abc'.substring(1, 2) == 'b' && 'aa'.replace('a', 'b', 1) == 'ba'",
        "['a', 'b'].join('-') == 'a-b' && 'abc'.matches('^a.c$') && 'a1b2'.findAll('[0-9]') == ['1', '2']",
        "'abc 123'.find('[0-9]+') == '123'",
        "[1, 2, 3].isSorted() && ![2, 1].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [3, 1].max() == 3",
        "['a', 'b'].indexOf('b') == 1 && ['a', 'b', 'a'].lastIndexOf('a') == 2 && [1].indexOf(2) == -1",
        "self.all(k, k.startsWith('a')) && self.exists(k, k == 'ab') && self.exists_one(k, self[k] == 2)",
        "self.map(k, self[k]).sum() == 3 && self.filter(k, self[k] > 1).size() == 1",
        "has(self.ab) && !has(self.zz) && (!has(self.zz) || self.zz > 3)",
        "self.zz > 3 || true",
    ],
)
def test_kubernetes_libraries_and_macros_work(rule: str) -> None:
    assert holds(rule, {"ab": 1, "ac": 2})


def test_a_broken_rule_speaks_the_message_of_the_definition() -> None:
    schema = ruled({"rule": "self > 1", "message": "must be more"}, {"type": "integer"})
    assert [str(e) for e in schema.validate({"x": 1})] == ["x: Invalid value: 1: must be more"]
    assert schema.validate({"x": 2}) == []


def test_without_a_message_the_rule_itself_is_shown() -> None:
    schema = ruled({"rule": "self > 1"}, {"type": "integer"})
    assert [str(e) for e in schema.validate({"x": 1})] == ["x: Invalid value: 1: failed rule: self > 1"]


def test_a_message_expression_may_show_the_value() -> None:
    rule = {"rule": "self > 1", "message": "fixed", "messageExpression": "'got ' + string(self)"}
    assert "got 1" in str(ruled(rule, {"type": "integer"}).validate({"x": 1})[0])
    rule["messageExpression"] = "'got ' + self"
    assert "fixed" in str(ruled(rule, {"type": "integer"}).validate({"x": 1})[0])


def test_reason_and_field_path_are_the_definition_s() -> None:
    rule = {"rule": "self.a == 1", "message": "m", "reason": "FieldValueForbidden", "fieldPath": ".a"}
    schema = ruled(rule, {"type": "object", "properties": {"a": {"type": "integer"}}})
    assert [str(e) for e in schema.validate({"x": {"a": 2}})] == ["x.a: Forbidden: m"]


def test_transition_rules_run_only_when_there_is_something_to_compare_with() -> None:
    schema = ruled({"rule": "self == oldSelf", "message": "immutable"}, {"type": "string"})
    assert schema.validate({"x": "a"}) == []
    assert schema.validate({"x": "a"}, {"x": "a"}) == []
    assert schema.validate({"x": "a"}, {}) == []
    assert [str(e) for e in schema.validate({"x": "b"}, {"x": "a"})] == ['x: Invalid value: "b": immutable']


def test_optional_old_self_lets_a_transition_rule_see_creation() -> None:
    rule = {"rule": "oldSelf.hasValue() || self == 'first'", "optionalOldSelf": True}
    schema = ruled(rule, {"type": "string"})
    assert schema.validate({"x": "first"}) == []
    assert len(schema.validate({"x": "b"})) == 1
    assert schema.validate({"x": "b"}, {"x": "a"}) == []


def test_an_unchanged_part_is_asked_transition_rules_only() -> None:
    listed = {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 5"}]}}
    grows = {"type": "integer", "x-kubernetes-validations": [{"rule": "self > oldSelf"}]}
    schema = StructuralSchema({"type": "object", "properties": {"l": listed, "g": grows}})
    assert schema.validate({"l": [1]}, {"l": [1]}) == []
    assert [error.path for error in schema.validate({"l": [1, 2]}, {"l": [1]})] == ["l[0]", "l[1]"]
    assert [error.path for error in schema.validate({"g": 1}, {"g": 1})] == ["g"]


def test_items_of_map_lists_are_compared_with_their_twins() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}
    rules = [{"rule": "self.v >= oldSelf.v", "message": "may only grow"}]
    items = {**item, "x-kubernetes-validations": rules}
    listed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": items}
    schema = StructuralSchema({"type": "object", "properties": {"l": listed}})
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 5}]}
    new = {"l": [{"k": "b", "v": 4}, {"k": "a", "v": 1}, {"k": "c", "v": 0}]}
    assert [str(e) for e in schema.validate(new, old)] == ["l[0]: Invalid value: may only grow"]


def test_property_names_that_are_no_identifiers_are_escaped() -> None:
    schema = ruled(
        {"rule": "self.udp__dash__port == 1 && self.__in__ == 2"},
        {"type": "object", "properties": {"udp-port": {"type": "integer"}, "in": {"type": "integer"}}},
    )
    assert schema.validate({"x": {"udp-port": 1, "in": 2}}) == []


def test_whole_numbers_of_type_number_are_floats() -> None:
    assert ruled({"rule": "self / 2.0 == 1.5"}, {"type": "number"}).validate({"x": 3}) == []


def test_a_missing_key_is_an_error_that_names_it() -> None:
    (error,) = ruled({"rule": "self.a > 1"}, {"type": "object"}).validate({"x": {}})
    assert "no such key: a evaluating rule: self.a > 1" in str(error)


def test_rules_wait_until_the_object_has_its_shape() -> None:
    schema = ruled({"rule": "self > 1"}, {"type": "integer"})
    messages = [str(e) for e in schema.validate({"x": "one"})]
    assert len(messages) == 2
    assert "some validation rules were not checked because the object was invalid" in messages[1]


def test_the_interpreter_is_not_imported_before_a_rule_must_run() -> None:
    program = """
import sys
from l3conf.emulator.apiserver.schemas.structural import StructuralSchema
schema = {"type": "object", "properties": {"a": {"type": "string"}}}
StructuralSchema(schema).validate({"a": "b"})
assert "cel" not in sys.modules
schema["x-kubernetes-validations"] = [{"rule": "true"}]
ruled = StructuralSchema(schema)
assert "cel" not in sys.modules
ruled.validate({"a": "b"})
assert "cel" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
