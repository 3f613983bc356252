"""Connections that are silent for long and must then still be open.

Silence takes minutes in which nothing has to be done: it is begun early, and asked for at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.diagnosis import diagnose
from l3conf.expectations.flow import arrived, failures
from l3conf.observation import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.expectations.flow import Flow
    from l3conf.expectations.harness import Harness


class IdleConnections:
    """TCP connections that answer once, are then silent for a window, and must answer again."""

    def __init__(
        self, harness: Harness, flows: Sequence[Flow], *, window: str = "W_idle", within: str = "T_probe"
    ) -> None:
        """Open them at once; ``window`` is where ``Flow.idle`` is from, ``within`` bounds each of the two answers.

        ``LabError`` if there is none to open.
        """
        if not flows:
            raise LabError("no connection at all proves nothing", remedy="check how pairs are chosen")
        self._harness = harness
        self._flows = tuple(flows)
        self._idle = harness.budgets.get(window)
        patience = self._idle + 2 * harness.budgets.get(within)
        self._answers = harness.lab.probe_in_background([flow.probe(patience) for flow in flows])

    def still_work(self) -> None:
        """Wait until the silence is over and expect each connection to have answered after it."""
        seen = self._answers()
        broken = [one.detail for one in seen if one.outcome is Outcome.HARNESS_ERROR]
        if broken:
            raise LabError(f"an idle connection was not opened: {broken[0]}")
        wrong = [
            (flow, words) for flow, one in zip(self._flows, seen, strict=True) if (words := arrived(flow, one, None))
        ]
        if wrong:
            found = f"{len(wrong)} of {len(seen)} connections did not survive {self._idle:g} s of silence:"
            where = diagnose(self._harness, [wrong[0][0]])
            raise AssertionError("\n".join([found, failures(wrong), *where]))
