from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import InvalidFileError, UserError
from l3conf.spec.catalogue import requirements_by_id
from l3conf.spec.files import load_implementation
from l3conf.spec.scenario_index import scenario_tests
from l3conf.teeth.catalogue import choose, load_mutants, null_implementations

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    (folder / "mutants").mkdir()
    (folder / "mutants" / "catalogue.yaml").write_text(text, encoding="utf-8")
    return folder / "impl.yaml"


def test_a_catalogue_becomes_mutants(tmp_path: Path) -> None:
    (mutant,) = load_mutants(write(tmp_path, "- {name: m, breaks: it, kills: [f5], env: {SWITCH: m}}"))
    assert (mutant.name, mutant.kills, mutant.env) == ("m", ("L3-F5",), {"SWITCH": "m"})


def test_a_mutant_may_belong_to_a_variant_of_the_implementation(tmp_path: Path) -> None:
    text = "- {name: m, breaks: it, kills: [f5], env: {}, implementation: other.yaml}\n"
    text += "- {name: n, breaks: it, kills: [f5], env: {}}"
    mutants = load_mutants(write(tmp_path, text))
    assert [mutant.implementation.name for mutant in mutants] == ["other.yaml", "impl.yaml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "is no YAML"),
        ("a: b", "is no list of mutants"),
        ("- just a word", "is no mutant"),
        ("- {name: m, breaks: it, kills: [L3-F5]}", "is no mutant"),
        ("- {name: m, breaks: it, kills: [L3-Z9], env: {}}", "mutant m: there is no requirement"),
        ("- {name: m, breaks: it, kills: [], env: {}}", "mutant m kills nothing"),
        ("[{name: m, breaks: a, kills: [f1], env: {}}, {name: m, breaks: b, kills: [f1], env: {}}]", "one name"),
    ],
)
def test_a_wrong_catalogue_is_named_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidFileError, match=words) as caught:
        load_mutants(write(tmp_path, text))
    assert "catalogue.yaml" in str(caught.value)


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="cannot be read"):
        load_mutants(tmp_path / "impl.yaml")


def test_an_unknown_mutant_gets_a_suggestion(tmp_path: Path) -> None:
    mutants = load_mutants(write(tmp_path, "- {name: snat, breaks: it, kills: [f5], env: {}}"))
    with pytest.raises(UserError, match=r"did you mean snat\?"):
        choose(mutants, ["snatt"])
    assert choose(mutants, []) == mutants


def test_every_null_implementation_is_a_valid_implementation() -> None:
    files = null_implementations()
    assert set(files) == {"claims-everything", "does-nothing", "hooks-always-succeed"}
    assert {load_implementation(path).name for path in files.values()} == set(files)


def test_every_row_with_a_scenario_has_a_mutant(pytestconfig: pytest.Config) -> None:
    mutants = load_mutants(pytestconfig.rootpath / "reference_impl" / "impl.yaml")
    killed = {row for mutant in mutants for row in mutant.kills}
    mandatory = {row for row in scenario_tests() if requirements_by_id()[row].level.mandatory}
    assert mandatory - killed == set()
