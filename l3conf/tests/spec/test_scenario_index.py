"""Scenarios are found by their marks without being imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.spec.catalogue import requirements_by_id
from l3conf.spec.mutants import load_mutants, mutants_killed_by
from l3conf.spec.scenario_index import scenario_tests

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = '''"""A scenario."""
raise SystemExit("must not be imported")

@verifies("L3-F1")
@pytest.mark.topology("two-clusters")
def test_one(lab):
    """Pods reach pods.

    More.
    """

@pytest.mark.verifies("L3-F1")
@verifies("L3-F2")
def test_two(lab): ...

@verifies(ROW)
def test_computed(lab): ...

@verifies("L3-F9")
def helper(): ...
'''


def test_marks_are_read_from_sources(tmp_path: Path) -> None:
    (tmp_path / "test_pods.py").write_text(SCENARIO)
    (tmp_path / "test_broken.py").write_text("def (")
    (tmp_path / "notes.py").write_text(SCENARIO)
    found = scenario_tests(tmp_path)
    assert {row: [test.function for test in tests] for row, tests in found.items()} == {
        "L3-F1": ["test_one", "test_two"],
        "L3-F2": ["test_two"],
    }
    first = found["L3-F1"][0]
    assert (first.line, first.sentence) == (6, "Pods reach pods.")
    assert first.name == f"{tmp_path.name}/test_pods.py::test_one"


def test_published_scenarios_name_rows_that_exist() -> None:
    assert scenario_tests().keys() <= requirements_by_id().keys()


def test_mutants_are_found_by_the_rows_that_kill_them(tmp_path: Path) -> None:
    catalogue = tmp_path / "mutants.yaml"
    catalogue.write_text("- {name: snat, breaks: Hides the pod., kills: [L3-F5]}\n- {name: mute, kills: [L3-F1]}\n")
    assert [mutant.name for mutant in mutants_killed_by("L3-F5", catalogue)] == ["snat"]
    assert load_mutants(tmp_path / "none.yaml") == ()
