"""Ways through the firewalls of others for what comes out of our tunnels and goes into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.state import Passage, Side

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_impl.state import Guard

_VERSIONS = {"ip": {4}, "ip6": {6}, "inet": {4, 6}}


def plan_passages(guards: Iterable[Guard], devices: Collection[str], versions: Collection[int]) -> frozenset[Passage]:
    """Plan a rule per guard, device and side; none in chains that see no packets of these IP versions.

    Devices are enough to go by: only members' packets are led into our tunnels, and what leaves one with another
    source was dropped before (``node_rules``).
    """
    return frozenset(
        Passage(guard=guard, side=side, device=device)
        for guard in guards
        if _VERSIONS[guard.family].intersection(versions)
        for device in devices
        for side in Side
    )
