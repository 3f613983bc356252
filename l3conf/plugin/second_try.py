"""A scenario begins anew, once, where the machine was too busy for what it saw to prove anything.

Nothing is excused by that: the second try alone counts, whatever it ends in, and the report names the first. A test
that *fails* is never tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol  # as pytest-rerunfailures does: there is no public name for it

from l3conf.errors import BusyHostError
from l3conf.plugin.marks import rows_of
from l3conf.plugin.time_limits import begin_anew

if TYPE_CHECKING:
    from collections.abc import Hashable


class SecondTry:
    """Plugin object of a worker, or of the only process of a run without workers."""

    def __init__(self) -> None:
        self._had: set[Hashable] = set()
        """Tests that have their second try, or are about to."""

    def is_due(self, item: pytest.Item, call: pytest.CallInfo[None]) -> bool:
        """Say whether a test that has ended so is to begin anew. To be asked once a phase."""
        cause = call.excinfo.value if call.excinfo is not None else None
        due = call.when == "call" and isinstance(cause, BusyHostError) and item.nodeid not in self._had
        if due:
            self._had.add(item.nodeid)
        return due

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a scenario, and once more if that is due; what is reported is the last run."""
        if not rows_of(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if item.nodeid in self._had:
            begin_anew(item)
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
