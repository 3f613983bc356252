"""Under which names an IKE daemon knows the gateways of a member: one connection a gateway.

The active gateway's and those of gateways that stand by have the same traffic selectors, and SAs belong to a connection
by its name. So a gateway keeps its name while its role changes: ``east``, ``east+1`` and so on. A member that
names no other gateways has one connection under its own name, as earlier releases load it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_APART = "+"
"""In no cluster id: these are DNS labels."""


def cluster_of(name: str) -> str:
    """Return the member that a connection leads to."""
    return name.partition(_APART)[0]


def plan_names(cluster_id: str, keys: Sequence[str], known: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the names of a member's gateways by public key. Pure.

    ``keys``: the active gateway's first. ``known``: connections that are loaded, names and the peers' keys. A key that
    is new takes the place of the one that it replaces (docs/adr/0017): the active one's, if nobody has that any more.
    """
    mine = sorted((entry for entry in known if cluster_of(entry[0]) == cluster_id), key=lambda entry: _rank(entry[0]))
    names = {key: name for name, key in reversed(mine) if key in keys}
    left = [name for name, key in mine if key not in keys]
    used = {name for name, _ in mine}
    free = (name for number in count() if (name := _name(cluster_id, number)) not in used)
    for place, key in enumerate(keys):
        if key not in names:
            names[key] = left.pop(0) if left and not place else next(free)
    return names


def _name(cluster_id: str, number: int) -> str:
    return f"{cluster_id}{_APART}{number}" if number else cluster_id


def _rank(name: str) -> tuple[int, str]:
    return len(name), name
