"""Writes a status object: at once when it matters, every few seconds as a sign of life."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reference_impl.agents.writing import rfc3339_now
from reference_impl.drivers.api import NotFoundError
from reference_impl.names import UPDATE_TIMESTAMP
from reference_impl.planner.conditions import stamped
from reference_impl.planner.status import signature

if TYPE_CHECKING:
    from reference_impl.drivers.api import API, Object, Resource
    from reference_impl.mutants import Mutant

REFRESH = 5.0
"""Seconds between two reports of an unchanged state; readers take one older than 15 s for stale."""


class Reporter:
    """Keeps one object's ``status`` and update timestamp."""

    def __init__(self, api: API, resource: Resource, name: str, namespace: str, mutant: Mutant) -> None:
        self._api = api
        self._resource = resource
        self._name = name
        self._namespace = namespace
        self._mutant = mutant
        self._written: object = None
        self._conditions: object = None
        """As last written; None until the object was read."""
        self._next = 0.0

    async def report(self, status: Object) -> None:
        """Write the status if it differs in substance or is due for a refresh."""
        written = signature(status)
        if written == self._written and time.monotonic() < self._next:
            return
        status = self._mutant.status(await self._stamped(status))
        now = self._mutant.report_time(int(time.time()))
        body: Object = {
            "metadata": {"annotations": {UPDATE_TIMESTAMP: str(now)}},
            "status": status,
        }
        try:
            await self._api.merge(self._resource, self._name, self._namespace, body)
        except NotFoundError:
            metadata = {"name": self._name, "namespace": self._namespace, **body["metadata"]}
            head = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
            await self._api.create(self._resource, {**head, **body, "metadata": metadata})
        self._written = written
        self._next = time.monotonic() + REFRESH
        self._conditions = status.get("conditions")

    async def _stamped(self, status: Object) -> Object:
        """Give conditions the times at which they changed, across restarts of the agent."""
        if "conditions" not in status:
            return status
        if self._conditions is None:
            try:
                found = await self._api.get(self._resource, self._name, self._namespace)
                self._conditions = (found.get("status") or {}).get("conditions")
            except NotFoundError:
                self._conditions = []
        now = rfc3339_now()
        return {**status, "conditions": stamped(status["conditions"], self._conditions, now=now)}
