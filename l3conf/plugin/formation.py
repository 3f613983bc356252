"""How a connection comes to be: a member leaves and joins again, and nobody sends anything across meanwhile.

With a direction cut no round trip is possible, whoever tries, so ``connected`` would be a lie without any packet of
ours having to prove it.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.plugin.gateways import CONNECTED
from l3conf.plugin.status_watch import Report, StatusWatch
from l3conf.wait import LATE_WINDOW

if TYPE_CHECKING:
    from l3conf.plugin.lab import Lab

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Formation:
    """What was said while one member's connections formed, on one clock (``time.monotonic``)."""

    pairs: tuple[Pair, ...]
    """Who reports whom: the member and every other, both ways."""
    joined_at: float
    """When the join hook had ended."""
    possible_at: float
    """When packets could first go there and back: when the cut was healed, or before the join."""
    cut_for: float
    """Seconds for which the set was watched while the direction was cut and the member had joined."""
    reports: tuple[Report, ...]

    @property
    def early_claims(self) -> list[str]:
        """A line for every ``connected`` that was said before any round trip was possible."""
        return [
            f"{report.cluster} said that {report.peer} is connected {self.possible_at - report.time:.1f} s before"
            f" a packet could go there and back"
            for report in self.reports
            if report.status == CONNECTED and report.time < self.possible_at
        ]

    def connected_after(self, pair: Pair, since: float) -> float:
        """Return the seconds from ``since`` until a cluster said that the other is connected; infinity if never."""
        for report in self.reports:
            if (report.cluster, report.peer) == pair and report.status == CONNECTED and report.time >= since:
                return report.time - since
        return math.inf


def watch_formation(lab: Lab, member: str, cut: Pair | None) -> Formation:
    """Let a member leave and join again and watch until everyone is connected to it, or ``T_join`` is over.

    ``cut`` is a direction in which nothing passes from before the join until ``T_detect`` after it.
    """
    budgets = lab.harness.budgets
    lab.members.leave(member)
    others = [other for other in lab.members.joined if other != member]
    pairs = tuple(pair for other in others for pair in ((member, other), (other, member)))
    with StatusWatch(lab, (member, *others)) as watch:
        watch.until(lambda: not any(watch.status(*pair) for pair in pairs), budgets.get("T_leave"))
        left_at = time.monotonic()
        with lab.cut(*cut) if cut else nullcontext():
            lab.members.join(member)
            joined_at = time.monotonic()
            if cut:
                claimed = watch.until(
                    lambda: any(watch.says_connected(pair) for pair in pairs), budgets.get("T_detect")
                )
                lab.run.note(f"while cut: {'somebody claimed a connection' if claimed else 'nobody claims anything'}")
        healed_at = time.monotonic()
        watch.until(lambda: watch.says_connected(*pairs), budgets.get("T_join") + LATE_WINDOW)
        return Formation(
            pairs=pairs,
            joined_at=joined_at,
            possible_at=healed_at if cut else left_at,
            cut_for=healed_at - joined_at if cut else 0.0,
            reports=tuple(report for report in watch.reports if report.time > left_at),
        )
