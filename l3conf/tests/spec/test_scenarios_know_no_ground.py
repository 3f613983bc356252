"""Scenarios are the same on every ground: none asks on which it stands. What differs is capabilities, in marks."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from l3conf.labs import KINDS

SCENARIOS = sorted((Path(__file__).parents[3] / "scenarios").glob("test_*.py"))
ALLOWED = {"l3conf.testing", "pytest", *sys.stdlib_module_names}
TELLING = {"capabilities", "ground", "kind_of_lab", "lab_kind", "options"}
"""Attributes by which a scenario could find out."""


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_cannot_tell_the_kind_of_its_lab(path: Path) -> None:
    tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imported = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in tree if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name not in ALLOWED and name.partition(".")[0] not in ALLOWED} == set()
    assert {node.attr for node in tree if isinstance(node, ast.Attribute)} & TELLING == set()
    texts = {node.value for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert texts & {*KINDS, "fake"} - {"kind"} == set()  # a key of every Kubernetes object


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) > 100
