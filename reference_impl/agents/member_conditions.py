"""Writes what this cluster makes of every other member into the status of its Cluster object."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from reference_impl.agents.writing import rfc3339_now
from reference_impl.drivers.api import APIError, Resource
from reference_impl.names import CLUSTER_ID_LABEL
from reference_impl.planner.conditions import (
    life_condition,
    peer_conditions,
    refused_conditions,
    stamped,
    waiting_conditions,
    with_forgery,
)
from reference_impl.protocols.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reference_impl.agents.cache import Cache
    from reference_impl.agents.findings import Findings
    from reference_impl.drivers.api import API, Object
    from reference_impl.mutants import Mutant
    from reference_impl.planner.conditions import Condition
    from reference_impl.planner.membership import Refusal
    from reference_impl.planner.status import PeerReport

_LOG = logging.getLogger(__name__)


class MemberConditions:
    """Conditions of the Clusters that came through the broker. Written when one changes, never as a sign of life."""

    def __init__(self, api: API, clusters: Cache, namespace: str, mutant: Mutant) -> None:
        self._api = api
        self._clusters = clusters
        self._namespace = namespace
        self._mutant = mutant

    async def write(self, peers: Sequence[PeerReport], refusals: Sequence[Refusal], found: Findings) -> None:
        """Write what differs. One that cannot be written is logged: conditions are for readers, not for packets."""
        forged = {forgery.cluster_id: forgery for forgery in found.forgeries}
        # A member with two IP versions is connected when both are: the worse one is written last.
        worst_last = sorted(peers, key=lambda peer: peer.state is not Health.CONNECTED)
        known = {
            **{peer.endpoint.cluster_id: peer_conditions(peer, found.failure) for peer in worst_last},
            **{refusal.cluster_id: refused_conditions(refusal) for refusal in refusals},
        }
        for obj in self._clusters.items:
            metadata = obj["metadata"]
            owner = (metadata.get("labels") or {}).get(CLUSTER_ID_LABEL)
            if owner is None:
                continue
            wanted = (*(known.get(owner) or waiting_conditions()), life_condition(found.lives.get(owner)))
            conditions = self._conditions(obj, with_forgery(wanted, forged[owner]) if owner in forged else wanted)
            status = obj.get("status")
            if not isinstance(status, dict) or status.get("conditions") != conditions:
                try:
                    await self._api.merge_status(
                        Resource.CLUSTER, metadata["name"], self._namespace, {"status": {"conditions": conditions}}
                    )
                except APIError as error:
                    _LOG.warning("%s", error)

    def _conditions(self, obj: Object, wanted: Iterable[Condition]) -> list[Object]:
        status = obj.get("status")
        before = status.get("conditions") if isinstance(status, dict) else None
        now = rfc3339_now()
        generation = obj["metadata"].get("generation")
        return self._mutant.conditions(stamped(wanted, before, now=now, generation=generation))
