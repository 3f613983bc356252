"""Scenarios that share a lab go to the same worker, whatever pytest-xdist makes of its own groups.

pytest-xdist knows groups by a suffix that workers append to node ids, and pytest 9.2 made that impossible. So
workers also write the groups into a file that the scheduler reads once all of them have collected.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # published without types

from l3conf.plugin.run import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "l3conf_groups"
"""Entry of ``workerinput``: where a worker writes its groups."""


class Distribution:
    """Plugin object of the process that has workers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory(prefix="l3conf-groups-", dir=os.environ.get(SCRATCH))
        self._groups = Path(self._folder.name) / "groups.json"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's WorkerController
        """Tell a worker what it must share with the others."""
        node.workerinput["l3conf_seed"] = self._seed
        node.workerinput[KEY] = str(self._groups)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LabScheduling | None:  # noqa: ANN401
        """Schedule by labs where groups are asked for at all."""
        return LabScheduling(config, log, self._groups) if config.getvalue("dist") == "loadgroup" else None

    def pytest_unconfigure(self) -> None:
        """Remove the file."""
        self._folder.cleanup()


class LabScheduling(LoadGroupScheduling):  # type: ignore[misc]  # likewise
    """Groups scenarios by their lab and everything else as pytest-xdist does."""

    def __init__(self, config: pytest.Config, log: Any, groups: Path) -> None:  # noqa: ANN401
        super().__init__(config, log)
        self._file = groups
        self._groups: Mapping[str, str] | None = None

    def _split_scope(self, nodeid: str) -> str:
        if self._groups is None:
            self._groups = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        return self._groups.get(nodeid.partition("@")[0]) or str(super()._split_scope(nodeid))


def write_groups(path: Path, groups: Mapping[str, str]) -> None:
    """Write the groups so that a reader sees all or none; every worker writes the same."""
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(groups), encoding="utf-8")
    partial.replace(path)
