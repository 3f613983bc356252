"""What Allure is told of a whole run: its ground, and which results mean what.

https://allurereport.org/docs/how-it-works-environment-file/, …/how-it-works-categories-file/. Needs nothing of Allure.
"""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.recorder import UNSUPPORTED
from l3conf.spec.version import SPEC_VERSION, software_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from l3conf.model.implementation import Implementation
    from l3conf.plugin.options import RunOptions

CATEGORIES = (
    {"name": "Requirement not met", "matchedStatuses": ["failed"]},
    {"name": "Lab or suite broke: nothing is known", "matchedStatuses": ["broken"]},
    {"name": "Not claimed", "matchedStatuses": ["skipped"], "messageRegex": f"(?s).*{UNSUPPORTED}.*"},
    {"name": "Untestable here", "matchedStatuses": ["skipped"], "messageRegex": f"(?s)(?!.*{UNSUPPORTED}).*"},
)
"""A failure is the implementation's; what broke is never counted with it."""


class AllureRun:
    """Plugin object of the process that the user started: it writes both files when all workers are done."""

    def __init__(self, folder: Path, options: RunOptions) -> None:
        self._folder = folder
        self._options = options

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write them, if there was anything to say something of."""
        if self._options.implementation is None or not self._folder.is_dir():
            return
        from l3conf.spec.files import load_implementation  # noqa: PLC0415 - nothing heavy unless it is asked for

        facts = environment(load_implementation(self._options.implementation), self._options)
        (self._folder / "environment.properties").write_text(properties(facts), encoding="ascii")
        (self._folder / "categories.json").write_text(json.dumps(CATEGORIES, indent=1), encoding="utf-8")


def environment(implementation: Implementation, options: RunOptions) -> dict[str, str]:
    """Return what a reader has to know of the ground."""
    return {
        "implementation": f"{implementation.name} {implementation.version}",
        "specification": SPEC_VERSION,
        "l3conf": software_version(),
        "lab": options.lab_kind,
        "seed": str(options.seed),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def properties(facts: Mapping[str, str]) -> str:
    """Spell facts as Java reads them (``java.util.Properties``), whose escapes are those of JSON."""
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in facts.items())
