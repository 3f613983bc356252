"""What becomes of a status whose author has fallen silent, or has been replaced."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.plugin.status_watch import StatusWatch
from l3conf.wait import LATE_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.plugin.lab import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What a reader of one cluster's status could believe, in seconds."""

    connected_before: bool
    """Whether it said ``connected`` when its agents froze: without that its end proves nothing."""
    believed_for: float
    """From the freezing until nobody could take ``connected`` for true any more."""
    recovered_after: float
    """From the thawing until it was said, and fresh, again; infinity if never."""


def watch_silence(lab: Lab, cluster: str, peer: str) -> Silence:
    """Freeze the agents on a cluster's gateway nodes until its claim has ended, or ``T_stale`` is long over."""
    budgets = lab.harness.budgets
    stale = budgets.get("T_stale")
    with StatusWatch(lab, (cluster,)) as watch:

        def believed() -> bool:
            return time.monotonic() < watch.claim_ends(cluster, peer, stale)

        before = watch.until(lambda: watch.says_connected((cluster, peer)) and believed(), budgets.get("T_recover"))
        with lab.agents_frozen(cluster):
            frozen_at = time.monotonic()
            watch.until(lambda: not believed(), stale + LATE_WINDOW)
            ends = watch.claim_ends(cluster, peer, stale)
        thawed_at = time.monotonic()
        again = watch.until(
            lambda: watch.says_connected((cluster, peer)) and believed(), budgets.get("T_recover") + LATE_WINDOW
        )
        return Silence(
            connected_before=before,
            believed_for=ends - frozen_at,
            recovered_after=time.monotonic() - thawed_at if again else math.inf,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """What status said after all agents of some clusters had been killed."""

    reported_after: float
    """Seconds from the kill until each of them had reported anew that it is connected; infinity if not in time."""


def watch_restart(lab: Lab, clusters: Sequence[str]) -> Restart:
    """Kill all agents of clusters and wait until each has reported again that it is connected to the others."""
    budgets = lab.harness.budgets
    pairs = list(itertools.permutations(clusters, 2))
    with StatusWatch(lab, clusters) as watch:
        watch.until(lambda: watch.says_connected(*pairs), budgets.get("T_recover"))
        for cluster in clusters:
            lab.kill_agents(cluster)
        killed_at = time.monotonic()
        # Reports carry whole seconds: one of the same second may have been written before the kill.
        after = int(time.time()) + 1
        done = watch.until(
            lambda: all(watch.reported(*pair) >= after for pair in pairs) and watch.says_connected(*pairs),
            budgets.get("T_restart") + LATE_WINDOW,
        )
        return Restart(reported_after=time.monotonic() - killed_at if done else math.inf)
