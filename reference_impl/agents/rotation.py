"""Replaces the key of a gateway's cables: on schedule, and on demand.

Decision: one device, one key, and the order "kernel first, then the word". WireGuard makes that lossless. Once the
device has another key it can send nothing until a peer agrees to it, so packets wait in its queue (128 a peer); what
peers still send under the old key is still decrypted. A peer that learns the new key puts it in the old one's place in
one request and calls at once: the queues empty, and the old key means nothing to anybody any more. Publishing first
would lose packets at the peer; two devices at once would need a second port through every NAT and firewall.

IPsec takes the same steps, and needs no queue: its SAs under the old key go on until those under the new one are up
(docs/adr/0017).

The price: packets wait for as long as an Endpoint travels, tens of milliseconds. So nothing is replaced while the
broker does not answer, and a pair whose other gateway is down at this moment connects when that one is back.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, Resource
from reference_impl.names import KEY_LIFETIME, ROTATE_KEYS

if TYPE_CHECKING:
    from reference_impl.drivers.api import API, Object
    from reference_impl.drivers.key_file import KeyRing

_LOG = logging.getLogger(__name__)


class Rotation:
    """Decides when a key is replaced, and replaces it."""

    def __init__(self, ring: KeyRing, broker: API, namespace: str, *, lifetime: float = KEY_LIFETIME) -> None:
        self._ring = ring
        self._broker = broker
        self._namespace = namespace
        self._lifetime = lifetime

    async def step(self, own: Object | None) -> bool:
        """Replace the key if that is due; say whether it was. ``own`` is the member's own Cluster object."""
        demand = demand_of(own)
        if not is_due(demand, self._ring.demand, self._ring.age, self._lifetime):
            return False
        try:
            await self._broker.list(Resource.ENDPOINT, self._namespace)
        except APIError as error:
            _LOG.warning("a new key is due, and waits for the broker: %s", error)
            return False
        await asyncio.to_thread(self._ring.replace, demand)
        _LOG.info("this gateway has a new key, %s", self._ring.public)
        return True


def demand_of(own: Object | None) -> str:
    """Return the demand on a Cluster object, "" if there is none."""
    return str(((own or {}).get("metadata", {}).get("annotations") or {}).get(ROTATE_KEYS) or "")


def is_due(demand: str, answered: str, age: float, lifetime: float) -> bool:
    """Say whether a key of this age has to go. Pure."""
    return (bool(demand) and demand != answered) or age > lifetime
