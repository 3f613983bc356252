"""What members say of others that they have no cable driver in common with."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from l3conf.plugin import reasons
from l3conf.plugin.gateways import CONNECTED
from l3conf.plugin.status_watch import StatusWatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.plugin.furnished import FurnishedLab

REASON = "DriverMismatch"


def strangers(lab: FurnishedLab, members: Iterable[str]) -> list[tuple[str, str]]:
    """Return the ordered pairs of members without a common cable driver."""
    return [
        (member, peer)
        for member, peer in itertools.permutations(members, 2)
        if not lab.topology.cluster(member).shares_a_driver_with(lab.topology.cluster(peer))
    ]


def not_said(lab: FurnishedLab, members: Iterable[str]) -> list[str]:
    """Return the pairs whose mismatch is not in a Gateway's status, in so many words (L3-D6)."""
    return [
        f"{member} does not say {REASON} of {peer}"
        for member, peer in strangers(lab, members)
        if not reasons.is_named(lab.apis[member], peer, REASON)
    ]


class MismatchWatch:
    """What is said of such pairs from now on, for at least ``W_steady``."""

    def __init__(self, lab: FurnishedLab, members: Iterable[str]) -> None:
        """Begin at once."""
        self._seconds = lab.harness.budgets.get("W_steady")
        self._pairs = strangers(lab, members)
        self._watch = StatusWatch(lab, sorted({member for member, _ in self._pairs}))
        self._watch.__enter__()

    def end(self) -> None:
        """Stop watching."""
        self._watch.__exit__()

    def changes(self) -> list[str]:
        """End the watch when its time has passed; return every change after the first word, and "connected"."""
        self._watch.until(lambda: False, self._watch.began + self._seconds - time.monotonic())
        self.end()
        heard = self._watch.reports
        said = {pair: [one.status for one in heard if (one.cluster, one.peer) == pair] for pair in self._pairs}
        return [
            f"{member} says of {peer}: {', then '.join(word or 'nothing' for word in words)}"
            for (member, peer), words in said.items()
            if len(words) > 1 or CONNECTED in words
        ]
