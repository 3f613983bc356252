"""Everything in a node's network configuration that an implementation could leave behind (L3-M1), as data.

A state is flat, ``path -> value``, both strings. Paths are stable: they are made of names and contents, never of
positions, handles or interface indices, so that a difference names the very leftover::

    link/<device>/mtu                     sysctl/net.ipv4.conf.<device>.rp_filter
    address/<device>/<address>/<length>   nft/table <family> <table>
    route/<table>/<prefix> dev <device>   nft/rule <family> <table> <chain> <expressions as JSON>
    rule/<family>/<priority>              iptables/<family>/<table>/<rule>
    neighbour/<device>/<address>          xfrm/policy/<selector>
    fdb/<device>/<mac>                    file/run/<path>
    nexthop/<id>   qdisc/<device>/…       addrlabel/<prefix> [dev <device>]
    missing/<tool>: why a part of the state could not be read

What moves by itself is left out: lifetimes, timers, counters, learnt neighbours, carrier, generated keys. What
belongs to other workloads (their veths, their files) is in it under their names, for the reader to filter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

State: TypeAlias = dict[str, str]
"""What was found: path to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path whose value is not what it was."""

    path: str
    before: str | None
    """None: it did not exist."""
    after: str | None
    """None: it is gone."""

    def __str__(self) -> str:
        if self.before is None:
            return f"left behind: {self.path} = {self.after}"
        if self.after is None:
            return f"missing: {self.path} = {self.before}"
        return f"changed: {self.path} = {self.after}, was {self.before}"


def diff_states(before: Mapping[str, str], after: Mapping[str, str], *, ignore: Iterable[str] = ()) -> list[Difference]:
    """Return what differs, ordered by path, but for paths in which one of the regular expressions is found."""
    patterns = [re.compile(pattern) for pattern in ignore]
    return [
        Difference(path=path, before=before.get(path), after=after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path) and not any(pattern.search(path) for pattern in patterns)
    ]


def put(state: State, path: str, value: str) -> None:
    """Add an entry; equal paths are numbered from the second on: ``path #2``."""
    unique, count = path, 1
    while unique in state:
        count += 1
        unique = f"{path} #{count}"
    state[unique] = value
