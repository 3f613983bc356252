"""Kubernetes Events on connections that come and go."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

from reference_impl.agents.writing import rfc3339_now
from reference_impl.drivers.api import APIError, Resource
from reference_impl.protocols.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.api import API, Object
    from reference_impl.planner.status import PeerReport

_LOG = logging.getLogger(__name__)


class ConnectionEvents:
    """Says ``Connected`` and ``Disconnected`` about a Gateway, once per change."""

    def __init__(self, api: API, gateway: str, namespace: str) -> None:
        self._api = api
        self._gateway = gateway
        self._namespace = namespace
        self._known: dict[tuple[str, int], Health] = {}

    async def compare(self, peers: Iterable[PeerReport]) -> None:
        """Emit an event for every peer that is connected now and was not, or the reverse.

        Events are for people: one that cannot be written is logged and forgotten.
        """
        now = {(peer.endpoint.cluster_id, peer.version): peer.state for peer in peers}
        before, self._known = self._known, now
        for key in sorted(now.keys() | before.keys()):
            up = now.get(key) is Health.CONNECTED
            if up == (before.get(key) is Health.CONNECTED):
                continue
            try:
                await self._api.create(Resource.EVENT, self._event(*key, up=up))
            except APIError as error:
                _LOG.warning("%s", error)

    def _event(self, cluster_id: str, version: int, *, up: bool) -> Object:
        now = rfc3339_now()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{self._gateway}.{uuid.uuid4().hex[:16]}", "namespace": self._namespace},
            "involvedObject": {
                "apiVersion": Resource.GATEWAY.api_version,
                "kind": Resource.GATEWAY.kind,
                "name": self._gateway,
                "namespace": self._namespace,
            },
            "type": "Normal" if up else "Warning",
            "reason": "Connected" if up else "Disconnected",
            "message": f"cluster {cluster_id} is {'connected' if up else 'no longer connected'} over IPv{version}",
            "source": {"component": "submariner-gateway", "host": self._gateway},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
