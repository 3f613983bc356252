"""Whom to call, and when to let go of SAs that have successors, without a clock or a socket of its own.

One end calls at once, the other only if nothing came of that for a while (it may be the only one that can reach the
other, NAT or not). A call that fails is tried again, less and less often: the peer may not have heard of us yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_impl.protocols.ike import is_first_caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.protocols.ike import Connection
    from reference_impl.state import Pair

DEFERENCE = 2.0
"""Seconds that the end that is not to call first leaves the other."""
HANDING_OVER = 1.0
"""Seconds that the end that made an IKE SA leaves the other to make its sub-tunnels."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0
"""Seconds between two calls; each failure doubles the pause."""
SETTLE = 1.0
"""Seconds for which all sub-tunnels of the new keys must have been up before those of the old ones end: the other end
has them too by then, and nothing is under way on the old ones."""
LONGEST_REPLACEMENT = 10.0
"""Seconds after which old keys are worth nothing, whatever became of the new ones. A replacement takes less than one;
a peer that cannot prove the key that is published for it now has no right to the one that was (L3-B6)."""


@dataclass(slots=True)
class _Absent:
    next: float
    pause: float = FIRST_PAUSE


@dataclass(slots=True)
class Caller:
    """Remembers since when sub-tunnels have been missing. Times are seconds of any monotonic clock."""

    _absent: dict[tuple[str, str, Pair, bool], _Absent] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether there may be something to do without anything happening: time alone passes."""
        return bool(self._absent)

    def due(self, connections: Iterable[Connection], now: float) -> tuple[tuple[str, Pair], ...]:
        """Return the calls to make now: connection and pair."""
        seen: dict[tuple[str, str, Pair, bool], _Absent] = {}
        calls: list[tuple[str, Pair]] = []
        for connection in connections:
            peer = connection.peer
            if peer.stands_by and not connection.called:
                continue
            grace = _deference(connection)
            for pair in connection.down:
                key = (peer.name, peer.public_key, pair, connection.made and not connection.up)
                absent = seen[key] = self._absent.get(key) or _Absent(now + grace)
                if now >= absent.next and not connection.under_way:
                    absent.next = now + absent.pause
                    absent.pause = min(absent.pause * 2, LONGEST_PAUSE)
                    calls.append((peer.name, pair))
        self._absent = seen
        return tuple(calls)


def _deference(connection: Connection) -> float:
    """Return how long the other end is left alone to make the sub-tunnels.

    A gateway that takes over makes an IKE SA without any: the peer makes them, since it sends through a new SA at once
    and the one that answers has it already. The other way round packets come by SAs that are not there yet.
    """
    if connection.called and not connection.up:
        return 0.0
    if connection.made and not connection.up:
        return HANDING_OVER
    return 0.0 if is_first_caller(connection.peer) else DEFERENCE


@dataclass(slots=True)
class Retirement:
    """Remembers which connections still have SAs of keys that were replaced. Times as in ``Caller``."""

    _began: dict[str, float] = field(default_factory=dict)
    _whole: dict[str, float] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether SAs will have to be ended."""
        return bool(self._began)

    def due(self, connections: Iterable[Connection], now: float) -> tuple[str, ...]:
        """Return the unique ids of the IKE SAs to end now."""
        replaced = {each.peer.name: each for each in connections if each.predecessors}
        self._began = {name: self._began.get(name, now) for name in replaced}
        self._whole = {name: self._whole.get(name, now) for name, each in replaced.items() if not each.down}
        return tuple(
            unique
            for name, each in replaced.items()
            if now - self._whole.get(name, now) >= SETTLE or now - self._began[name] >= LONGEST_REPLACEMENT
            for unique in each.predecessors
        )
