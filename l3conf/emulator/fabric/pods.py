"""Which address a pod gets: the lowest free one of its node, but not one that was given back just now.

A peer may still hold a stale neighbour entry, conntrack state or a late packet for an address given back; real
IPAM plug-ins avoid immediate reuse for the same reason. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.plugins.protocol import GATEWAY_OFFSET
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.model.topology import IPNetwork

QUARANTINE = 32
"""Addresses given back that stay unused as long as others are free."""


class PodOffsets:
    """Offsets in a node's pod slices that are in use; one offset serves all families."""

    __slots__ = ("_end", "_name", "_released", "_used")

    def __init__(self, node: str, slices: Sequence[IPNetwork]) -> None:
        self._name = node
        # The last address of an IPv4 slice is its broadcast address.
        self._end = min(slice_.num_addresses for slice_ in slices) - 1
        self._used: set[int] = set()
        self._released: deque[int] = deque()

    def take(self) -> int:
        """Return a free offset; ``LabError`` when every address of the node is in use."""
        offset = self._lowest_fresh()
        if offset is None:
            if not self._released:
                raise LabError(f"no pod address is left on node {self._name}", remedy="use a larger pod CIDR")
            offset = self._released.popleft()
        self._used.add(offset)
        return offset

    def give_back(self, offset: int) -> None:
        """Free an offset; it is reused after ``QUARANTINE`` others, or when nothing else is left."""
        self._used.discard(offset)
        self._released.append(offset)
        if len(self._released) > QUARANTINE:
            self._released.popleft()

    def _lowest_fresh(self) -> int | None:
        offset = GATEWAY_OFFSET + 1
        while offset in self._used or offset in self._released:
            offset += 1
        return offset if offset < self._end else None
