"""Publishes the own Cluster and the active gateway's Endpoint in the member's API; the exchange takes them on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from reference_impl.drivers.api import ConflictError, NotFoundError, Resource
from reference_impl.names import CLUSTER_ID_LABEL
from reference_impl.protocols.object_codec import cluster_spec, endpoint_spec
from reference_impl.protocols.objects import endpoint_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reference_impl.agents.cache import Cache
    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import API, Object
    from reference_impl.mutants import Mutant
    from reference_impl.protocols.objects import Endpoint

_LOG = logging.getLogger(__name__)


class Publication:
    """Own objects are those without an origin label. Exactly one Endpoint is kept: the active gateway's."""

    def __init__(
        self,
        api: API,
        settings: Settings,
        caches: Mapping[Resource, Cache],
        confirms: Callable[[], Awaitable[bool]],
        mutant: Mutant,
    ) -> None:
        """Take what to publish by; ``confirms`` asks the API whether this gateway is the active one at this moment."""
        self._api = api
        self._settings = settings
        self._caches = caches
        self._confirms = confirms
        self._mutant = mutant

    async def publish(self, local: Endpoint) -> None:
        """Write both objects if they differ, and take back the Endpoint of a gateway that was active before."""
        own = self._settings.cluster
        await self._keep(Resource.CLUSTER, own.cluster_id, cluster_spec(own))
        await self._keep(Resource.ENDPOINT, endpoint_name(own.cluster_id, local.private_ip), endpoint_spec(local))

    async def _keep(self, resource: Resource, name: str, spec: Object) -> None:
        cache = self._caches[resource]
        others = [
            str(obj["metadata"]["name"])
            for obj in cache.items
            if obj["metadata"]["name"] != name and CLUSTER_ID_LABEL not in (obj["metadata"].get("labels") or {})
        ]
        # Of two gateways that each believed to be the active one, each would take back what the other one says.
        takes_over = resource is Resource.ENDPOINT and (others or cache.get(name) is None)
        try:
            if takes_over and not await self._confirms():
                return
            await self._write(resource, name, spec, cache.get(name))
            for other in self._mutant.predecessors(others):
                await self._api.delete(resource, other, self._settings.namespace)
        except (ConflictError, NotFoundError) as error:
            # The cache is behind; the event that brings it up to date wakes the loop again.
            _LOG.info("%s", error)

    async def _write(self, resource: Resource, name: str, spec: Object, found: Object | None) -> None:
        if found is None:
            head = {"apiVersion": resource.api_version, "kind": resource.kind}
            metadata = {"name": name, "namespace": self._settings.namespace}
            await self._api.create(resource, {**head, "metadata": metadata, "spec": spec})
        elif any(found.get("spec", {}).get(key) != value for key, value in spec.items()):
            await self._api.replace(resource, {**found, "spec": {**found.get("spec", {}), **spec}})
