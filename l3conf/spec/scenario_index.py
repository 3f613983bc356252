"""Which scenario verifies which requirement: read from the sources, so that listing imports no scenario."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "verifies"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioTest:
    """A test function that carries the mark of a requirement."""

    requirement: str
    path: Path
    function: str
    line: int
    sentence: str
    """First line of its docstring."""

    @property
    def name(self) -> str:
        """``<file>::<function>``, the file named as pytest does from the folder above the scenarios."""
        return f"{self.path.parent.name}/{self.path.name}::{self.function}"


def scenario_folder() -> Path | None:
    """Return the folder of the installed scenarios; None if this installation has none."""
    found = importlib.util.find_spec("scenarios")
    locations = list(found.submodule_search_locations or []) if found is not None else []
    return Path(locations[0]) if locations else None


def scenario_tests(folder: Path | None = None) -> dict[str, list[ScenarioTest]]:
    """Return the tests of a folder of scenarios (default: the installed one) by requirement id."""
    where = folder if folder is not None else scenario_folder()
    found: dict[str, list[ScenarioTest]] = {}
    for path in sorted(where.rglob("test_*.py")) if where is not None else []:
        for test in _tests_of(path):
            found.setdefault(test.requirement, []).append(test)
    return found


def _tests_of(path: Path) -> Iterator[ScenarioTest]:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return  # pytest says at collection what is wrong with it
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            sentence = (ast.get_docstring(node) or "").partition("\n")[0]
            for requirement in _marked(node.decorator_list):
                yield ScenarioTest(
                    requirement=requirement, path=path, function=node.name, line=node.lineno, sentence=sentence
                )


def _marked(decorators: list[ast.expr]) -> Iterator[str]:
    """Yield the ids in ``@verifies("L3-F1", over_ipv6="L3-G1")`` and ``@pytest.mark.verifies("L3-F1")``."""
    for call in decorators:
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == MARK:
            arguments = (*call.args, *(keyword.value for keyword in call.keywords))
            yield from (a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str))
