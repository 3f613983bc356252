"""Ranges of members that have gone: for a while, packets for them are answered rather than let out. Pure.

A member's routes go when the member goes (L3-M2). Whoever still sends to it would then follow the default route, out
of the cluster, in clear and from a source that an answer could be led to (L3-K4). So each range that was known is
rejected for ``REJECTED`` seconds: longer than most connections and caches of names live on, short enough that whoever
gets the range next, outside the cluster set, is not cut off for long. Within the set there is no wait: a range that
somebody claims is rejected no more.

What is in the kernel is the memory: an agent that starts takes the ranges that it finds rules for and nobody claims,
its predecessor's routes and rejections alike, as departed just now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.planner.claims import Claims

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import IPNetwork

REJECTED = 300.0
"""Seconds for which packets to a range of a member that has gone are rejected."""


class Departures:
    """The ranges that were members' and are nobody's now. Times are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._known: frozenset[IPNetwork] | None = None
        self._since: dict[IPNetwork, float] = {}

    def look(
        self, known: Iterable[IPNetwork], found: Iterable[IPNetwork], used: Iterable[IPNetwork], now: float
    ) -> tuple[IPNetwork, ...]:
        """Return the ranges to reject, in order.

        ``known``: what members claim now. ``found``: what the kernel has rules to, which counts at the first look.
        ``used``: what is this cluster's own, and never rejected.
        """
        members = frozenset(known)
        before = self._known if self._known is not None else frozenset(found)
        self._known = members
        for prefix in before - members:
            self._since.setdefault(prefix, now)
        if not self._since:
            return ()
        claimed = Claims()
        claimed.add("", (*members, *used))
        self._since = {
            prefix: since
            for prefix, since in self._since.items()
            if now - since < REJECTED and claimed.overlapping(prefix) is None
        }
        return tuple(sorted(self._since, key=lambda prefix: (prefix.version, prefix)))
