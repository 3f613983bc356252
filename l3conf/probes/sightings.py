"""What receivers have seen, bounded."""

from __future__ import annotations

import time
from collections import deque
from ipaddress import ip_address
from typing import TYPE_CHECKING

from l3conf.observation import Protocol, Sighting

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPACITY = 8192
"""Sightings kept per place, the newest; a batch that one place receives should stay below."""


class SightingLog:
    """The newest probe packets that one place has received."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._ring: deque[tuple[bytes, str, Protocol, float, int | None]] = deque(maxlen=CAPACITY)

    def record(self, nonce: bytes, source: str, protocol: Protocol, traffic_class: int | None = None) -> None:
        """Note a packet that has just been received. Objects are made when somebody asks."""
        self._ring.append((nonce, source, protocol, time.monotonic(), traffic_class))

    def of(self, nonces: Sequence[str]) -> list[Sighting]:
        """Return all sightings of the given nonces (16 hex digits), oldest first."""
        wanted = {bytes.fromhex(nonce) for nonce in nonces}
        return [
            Sighting(
                place=self._place,
                nonce=nonce.hex(),
                source=ip_address(source.partition("%")[0]),
                protocol=protocol,
                time=when,
                traffic_class=traffic_class,
            )
            for nonce, source, protocol, when, traffic_class in self._ring
            if nonce in wanted
        ]
