"""Writes a status object: at once when it matters, every few seconds as a sign of life."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reference_impl.agents.writing import merge_patch, rfc3339_now
from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.names import UPDATE_TIMESTAMP
from reference_impl.planner.conditions import stamped
from reference_impl.planner.status import signature

if TYPE_CHECKING:
    from reference_impl.drivers.api import API, Object
    from reference_impl.mutants import Mutant

REFRESH = 5.0
"""Seconds between two reports of an unchanged state; readers take one older than 15 s for stale."""


class Reporter:
    """Keeps the ``status`` and update timestamp of the object that is named after a node.

    The node owns it: where the Node goes, the garbage collector takes what was said of it (L3-K2).
    """

    def __init__(self, api: API, resource: Resource, name: str, namespace: str, mutant: Mutant) -> None:
        self._api = api
        self._resource = resource
        self._name = name
        self._namespace = namespace
        self._mutant = mutant
        self._written: object = None
        self._shown: Object | None = None
        """The status as it stands in the object; None until that was read."""
        self._owners: list[Object] | None = None
        """None until the Node was read."""
        self._next = 0.0

    async def report(self, status: Object) -> None:
        """Write the status if it differs in substance or is due for a refresh."""
        written = signature(status)
        if written == self._written and time.monotonic() < self._next:
            return
        shown = await self._read_shown() if self._shown is None else self._shown
        status = self._mutant.status(_stamped(status, shown))
        now = self._mutant.report_time(int(time.time()))
        annotations = {UPDATE_TIMESTAMP: str(now)}
        if self._owners is None:
            self._owners = await self._read_owners()
        metadata: Object = {"annotations": annotations, "ownerReferences": self._owners}
        patch: Object = {"metadata": metadata, "status": merge_patch(shown, status)}
        try:
            await self._api.merge(self._resource, self._name, self._namespace, patch)
        except NotFoundError:
            # It may be gone because its node was: another Node of that name is another owner.
            self._owners = await self._read_owners()
            metadata = {
                "name": self._name,
                "namespace": self._namespace,
                "annotations": annotations,
                "ownerReferences": self._owners,
            }
            head = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
            await self._api.create(self._resource, {**head, "metadata": metadata, "status": status})
        self._written = written
        self._next = time.monotonic() + REFRESH
        self._shown = status

    async def _read_owners(self) -> list[Object]:
        """Return the reference to the node; none while there is no such Node, which is about to come then."""
        try:
            node = await self._api.get(Resource.NODE, self._name)
        except NotFoundError:
            return []
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._name, "uid": node["metadata"]["uid"]}
        return self._mutant.owners([owner])

    async def _read_shown(self) -> Object:
        try:
            found = await self._api.get(self._resource, self._name, self._namespace)
        except NotFoundError:
            return {}
        return dict(found.get("status") or {})


def _stamped(status: Object, shown: Object) -> Object:
    """Give conditions the times at which they changed, across restarts of the agent."""
    if "conditions" not in status:
        return status
    return {**status, "conditions": stamped(status["conditions"], shown.get("conditions"), now=rfc3339_now())}
