"""CustomResourceDefinitions are refused for the reasons that kube-apiserver has."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

import l3conf.spec
from l3conf.emulator.apiserver.schemas.crd import check_crd

Json = dict[str, Any]

GOOD: Json = {
    "metadata": {"name": "things.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
            }
        ],
    },
}
PREFIX = "spec.versions[0].schema.openAPIV3Schema.properties[x]"


def problems_of(schema: Json) -> list[str]:
    crd = copy.deepcopy(GOOD)
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["x"] = schema
    return [str(error) for error in check_crd(crd)]


def test_a_sound_definition_passes() -> None:
    assert check_crd(GOOD) == []


@pytest.mark.parametrize(
    "path", sorted((Path(l3conf.spec.__file__).parent / "crds").glob("*.yaml")), ids=lambda p: p.stem
)
def test_our_own_definitions_pass(path: Path) -> None:
    assert [str(error) for error in check_crd(yaml.safe_load(path.read_text(encoding="utf-8")))] == []


def test_the_name_is_plural_and_group() -> None:
    crd = {**GOOD, "metadata": {"name": "thing.example.org"}}
    message = 'metadata.name: Invalid value: "thing.example.org": must be spec.names.plural+"."+spec.group'
    assert [str(error) for error in check_crd(crd)] == [message]


@pytest.mark.parametrize("storages", [[False], [True, True]])
def test_exactly_one_version_is_stored(storages: list[bool]) -> None:
    crd = copy.deepcopy(GOOD)
    template = crd["spec"]["versions"][0]
    crd["spec"]["versions"] = [{**template, "name": f"v{i}", "storage": flag} for i, flag in enumerate(storages, 1)]
    assert any("must have exactly one version marked as storage version" in str(error) for error in check_crd(crd))


def test_every_version_has_a_schema() -> None:
    crd = copy.deepcopy(GOOD)
    del crd["spec"]["versions"][0]["schema"]
    assert [error.path for error in check_crd(crd)] == ["spec.versions[0].schema.openAPIV3Schema"]


def test_columns_have_known_types() -> None:
    crd = copy.deepcopy(GOOD)
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = [{"name": "A", "type": "array", "jsonPath": ".a"}]
    message = (
        'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "array": '
        "must be one of boolean,date,integer,number,string"
    )
    assert [str(error) for error in check_crd(crd)] == [message]


def test_an_empty_definition_is_refused_without_a_traceback() -> None:
    paths = {error.path for error in check_crd({})}
    assert {"spec.group", "spec.scope", "spec.names.plural", "spec.names.kind", "spec.versions"} <= paths


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({}, f"{PREFIX}.type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, f"{PREFIX}.items: Required value: must be specified"),
        (
            {"type": "object", "additionalProperties": False},
            f"{PREFIX}.additionalProperties: Forbidden: additionalProperties cannot be set to false",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            (
                f"{PREFIX}.uniqueItems: Forbidden: "
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            ),
        ),
        (
            {"type": "string", "anyOf": [{"type": "string"}]},
            f"{PREFIX}.anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "integer", "default": "one"},
            (
                f'{PREFIX}.default: Invalid value: "one": Invalid value: "string": '
                'default in body must be of type integer: "string"'
            ),
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
            (
                f"{PREFIX}.items.properties[k].default: Required value: "
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ),
        ),
    ],
)
def test_a_schema_that_is_not_structural_is_refused(schema: Json, problem: str) -> None:
    assert problems_of(schema) == [problem]


def test_a_pattern_that_re2_does_not_know_is_refused() -> None:
    (problem,) = problems_of({"type": "string", "pattern": "a(?=b)"})
    assert problem.startswith(f'{PREFIX}.pattern: Invalid value: "a(?=b)": must be a valid regular expression')


@pytest.mark.parametrize("rule", ["self.", "self.all(x, y > 1)", "nonsense(self)"])
def test_a_rule_that_does_not_compile_is_refused(rule: str) -> None:
    (problem,) = problems_of({"type": "string", "x-kubernetes-validations": [{"rule": rule}]})
    assert problem.startswith(f"{PREFIX}.x-kubernetes-validations[0].rule: Invalid value: ")
    assert "compilation failed" in problem


def test_int_or_string_may_name_its_two_types() -> None:
    schema = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert problems_of(schema) == []
