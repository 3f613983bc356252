"""The specification's data agrees with itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from l3conf.errors import UserError
from l3conf.spec.budgets import Budgets, load_budgets, parse_override
from l3conf.spec.catalogue import (
    Level,
    find_requirement,
    find_requirements,
    load_features,
    load_profiles,
    load_requirements,
    select,
    sort_key,
)
from l3conf.spec.schema_files import load_schema

SECTION_SIZES = {"A": 8, "B": 14, "C": 7, "D": 7, "E": 9, "F": 15, "G": 6, "H": 11, "I": 8, "J": 9, "K": 10, "L": 7}
LAST_SECTIONS = {"M": 4, "N": 4}


def test_every_row_ever_published_is_there_in_order() -> None:
    """Ids are never reused and never vanish: reports of years ago name them."""
    sizes = {**SECTION_SIZES, **LAST_SECTIONS}
    expected = [f"L3-{section}{number}" for section, size in sizes.items() for number in range(1, size + 1)]
    assert [row.id for row in load_requirements()] == expected
    assert expected == sorted(expected, key=sort_key)


def test_titles_are_statements_that_tell_rows_apart() -> None:
    titles = [row.title for row in load_requirements()]
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch(r"[A-Z].*[^.]", title) for title in titles)


def test_every_row_belongs_to_a_feature_of_its_profile() -> None:
    features = {feature.name: feature for feature in load_features()}
    for row in load_requirements():
        assert (features[row.feature].profile, features[row.feature].support) == (row.profile, row.support)
    assert {row.feature for row in load_requirements()} == features.keys()
    assert {feature.profile for feature in features.values()} == {profile.name for profile in load_profiles()}


def test_budgets_of_rows_exist() -> None:
    names = {budget.name for budget in load_budgets()}
    assert {name for row in load_requirements() for name in row.budgets} <= names


def test_corrections_say_what_stood_there_before() -> None:
    corrected = [row for row in load_requirements() if row.correction is not None]
    assert corrected
    for row in corrected:
        assert row.correction is not None
        assert row.correction.reason
        for field, former in row.correction.was.items():
            assert getattr(row, field) != former


@pytest.mark.parametrize("spelling", ["L3-F5", "l3-f5", " F5 "])
def test_a_row_is_found_in_any_spelling(spelling: str) -> None:
    assert find_requirement(spelling).id == "L3-F5"


@pytest.mark.parametrize(
    ("unknown", "remedy"),
    [("L3-F99", "section F has L3-F1 to L3-F15"), ("Z9", "`l3conf list` shows all"), ("L4-F5", "did you mean L3-F5?")],
)
def test_an_unknown_row_is_answered_with_a_remedy(unknown: str, remedy: str) -> None:
    with pytest.raises(UserError, match=re.escape(remedy)):
        find_requirement(unknown)


@pytest.mark.parametrize("section", ["L3-G", "g"])
def test_a_section_is_all_of_its_rows(section: str) -> None:
    assert [row.id for row in find_requirements(section)] == [f"L3-G{number}" for number in range(1, 7)]


def test_what_is_no_section_is_one_row_or_an_error() -> None:
    assert [row.id for row in find_requirements("f5")] == ["L3-F5"]
    with pytest.raises(UserError, match="there is no requirement 'L3-Z'"):
        find_requirements("L3-Z")


def test_filters_narrow_together() -> None:
    rows = select(load_requirements(), profiles=["mesh"], levels=[Level.MUST])
    assert [row.id for row in rows] == ["L3-I1", "L3-I2", "L3-I4", "L3-I5", "L3-I8"]


def test_budget_names_say_what_loosens_them() -> None:
    assert {budget.name[:2] for budget in load_budgets()} == {"T_", "W_", "O_"}
    assert len({budget.name for budget in load_budgets()}) == len(load_budgets())


def test_deadlines_loosen_upwards_and_windows_downwards() -> None:
    budgets = Budgets.default().with_overrides({"T_join": 61, "T_detect": 9, "W_silence": 0.9, "W_steady": 31})
    assert budgets.loosened == ("T_join", "W_silence")
    assert (budgets.get("T_detect"), budgets.get("T_leave")) == (9, 60)


def test_an_override_by_the_default_is_none() -> None:
    assert Budgets.default().with_overrides({"T_join": 60}).overrides == {}


@pytest.mark.parametrize("overrides", [{"T_jion": 1.0}, {"T_join": -1.0}, {"T_join": float("nan")}])
def test_impossible_overrides_are_refused(overrides: dict[str, float]) -> None:
    with pytest.raises(UserError, match="--budget T_"):
        Budgets.default().with_overrides(overrides)


def test_an_unknown_budget_is_a_bug_that_suggests_its_cure() -> None:
    with pytest.raises(KeyError, match="did you mean T_join"):
        Budgets.default().get("T_jion")


def test_overrides_of_a_command_line_are_parsed() -> None:
    assert parse_override("T_detect=5.5") == ("T_detect", 5.5)
    for wrong in ("T_detect", "T_detect=", "T_detect=soon"):
        with pytest.raises(UserError, match="write NAME=SECONDS"):
            parse_override(wrong)


@pytest.mark.parametrize("name", ["topology", "implementation", "baseline", "conformance-report"])
def test_schemas_are_schemas_and_closed_and_described(name: str) -> None:
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    for path, part in objects_of(schema):
        assert "additionalProperties" in part, path
        for key, value in part["properties"].items():
            assert "$ref" in value or "type" in value or "const" in value or "enum" in value, f"{path}.{key}"
            assert "$ref" in value or {"title", "description"} <= value.keys(), f"{path}.{key}"


def objects_of(schema: object, path: str = "$") -> list[tuple[str, dict[str, Any]]]:
    found = []
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            found.append((path, schema))
        for key, value in schema.items():
            found += objects_of(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            found += objects_of(value, f"{path}[{index}]")
    return found
