"""Scenarios that share a lab go to the same worker, whatever pytest-xdist makes of its own groups.

pytest-xdist knows groups by a suffix that workers append to node ids, and pytest 9.2 made that impossible. So
workers also write the groups into a file that the scheduler reads once all of them have collected.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # published without types

from l3conf.plugin.collection import ALONE, LATE
from l3conf.plugin.expected_seconds import LONG
from l3conf.plugin.run import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

Worker = TypeVar("Worker")
KEY = "l3conf_groups"
"""Entry of ``workerinput``: where a worker writes its groups."""
_IN_TIME = 2
"""Tests that a worker still has when it is given the next group, as pytest-xdist has it."""


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
    """Groups scenarios by their lab and everything else as pytest-xdist does. Late groups go where their lab stands."""

    def __init__(self, config: pytest.Config, log: Any, groups: Path) -> None:  # noqa: ANN401
        super().__init__(config, log)
        self._file = groups
        self._shared: Mapping[str, Mapping[str, Any]] | None = None

    def _read(self, what: str) -> Mapping[str, Any]:
        if self._shared is None:
            self._shared = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        return self._shared.get(what, {})

    def _split_scope(self, nodeid: str) -> str:
        return self._read("groups").get(nodeid.partition("@")[0]) or str(super()._split_scope(nodeid))

    def _waiting(self, node: Any) -> list[str]:  # noqa: ANN401 - xdist's WorkerController
        """Return the groups that nobody has in the order in which a worker should have them."""
        turn = list(self.assigned_work).index(node) + len(self.assigned_work[node])
        return in_order(self.workqueue, self._read("seconds"), turn)

    def _assign_work_unit(self, node: Any) -> None:  # noqa: ANN401 - xdist's WorkerController
        """Give a worker its next group."""
        chosen = next_group(self._waiting(node), self.assigned_work, node, is_last=self._is_last(node))
        if chosen is not None:
            self.workqueue.move_to_end(chosen, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:  # noqa: ANN401 - likewise
        """Give a worker its next group in time, and let it go if there is none for it."""
        if node.shutting_down or self._pending_of(self.assigned_work[node]) > _IN_TIME:
            return
        if next_group(self._waiting(node), self.assigned_work, node, is_last=self._is_last(node)) is None:
            node.shutdown()
            return
        super()._reschedule(node)

    def _is_last(self, node: Any) -> bool:  # noqa: ANN401 - likewise
        return all(other is node or other.shutting_down for other in self.assigned_work)


def in_order(groups: Iterable[str], seconds: Mapping[str, float], turn: int) -> list[str]:
    """Return groups in the order in which a worker should have them. Pure.

    Groups in which something is begun that is asked for at the end come first. Then the longest do, since what begins
    last must not last; but at every other ``turn`` the shortest come first. Long groups wait and short ones build labs:
    a machine whose workers all do the one and then all the other is idle at first and has too much to do later.
    """
    sign = 1 if turn % 2 else -1
    return sorted(groups, key=lambda group: (seconds.get(group, 0.0) < LONG, sign * seconds.get(group, 0.0)))


def next_group(
    waiting: Sequence[str], assigned: Mapping[Worker, Container[str]], worker: Worker, *, is_last: bool
) -> str | None:
    """Return the group that a worker should have next, None if the others have all that is left for them. Pure.

    ``waiting`` are the groups that nobody has, in their order; ``assigned`` those that each living worker has or had;
    ``is_last``: all other workers were let go, so that what is to run alone does, but for their last tests.
    """
    early = next((group for group in waiting if not group.endswith((LATE, ALONE))), None)
    if early is not None:
        return early
    for group in waiting:
        lab = group.removesuffix(LATE)
        if group.endswith(LATE) and next((each for each, had in assigned.items() if lab in had), worker) == worker:
            return group
    return next((group for group in waiting if group.endswith(ALONE)), None) if is_last else None


def write_groups(path: Path, groups: Mapping[str, str], seconds: Mapping[str, float]) -> None:
    """Write the groups so that a reader sees all or none; every worker writes the same.

    ``groups``: the group of each test by node id; ``seconds``: how long each group is expected to take.
    """
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"groups": groups, "seconds": seconds}), encoding="utf-8")
    partial.replace(path)
