"""Somebody on a member's nodes sends what is for a third cluster the way that leads to a second one (L3-J3)."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.expectations import Node
    from l3conf.labs.base import Lab as Ground
    from l3conf.model.topology import IPAddress, IPNetwork

_TABLE, _PRIORITY = "7253", "53"
"""Routing table and rule priority of the detour: before anybody's but the kernel's own."""
_TIMEOUT = 5.0


@contextmanager
def detour(ground: Ground, node: Node, target: IPNetwork, via: IPAddress) -> Iterator[None]:
    """Send a node's packets for ``target`` like those for ``via`` while the context is open."""
    family = f"-{target.version}"
    (found,) = json.loads(_ip(ground, node, "-json", family, "route", "get", str(via)))
    # A next hop may be on no prefix of its link. Links without neighbours have no next hop, and refuse the flag.
    hop, flags = (["via", found["gateway"]], ["onlink"]) if "gateway" in found else ([], [])
    with ExitStack() as undo:
        _ip(ground, node, family, "route", "add", str(target), *hop, "dev", found["dev"], *flags, "table", _TABLE)
        undo.callback(_ip, ground, node, family, "route", "flush", "table", _TABLE)
        _ip(ground, node, family, "rule", "add", "to", str(target), "priority", _PRIORITY, "lookup", _TABLE)
        undo.callback(_ip, ground, node, family, "rule", "del", "priority", _PRIORITY)
        yield


def _ip(ground: Ground, node: Node, *words: str) -> str:
    code, out, err = ground.run(node.place, ["ip", *words], timeout=_TIMEOUT)
    if code != 0:
        raise LabError(f"ip {' '.join(words)} failed: {err.strip()}", where=node.place)
    return out
