"""A copy of one kind of object, kept fresh by list and watch."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.drivers.api import API, Object, Resource

_LOG = logging.getLogger(__name__)
RELIST = 60.0
"""Seconds after which everything is listed anew: a watch whose connection died silently must not blind us."""
FIRST_RETRY = 0.2
LAST_RETRY = 10.0
"""Seconds between tries when the API refuses or cannot be reached; doubled from the first to the last."""


class Cache:
    """Objects of one kind in one namespace, or in all (``namespace`` is ""), by name or by namespace and name.

    Whatever goes wrong with a watch (410, a broken connection, a lost event) ends in a new list, which is
    compared with what was known; so duplicates and reordering leave no trace.
    """

    def __init__(self, api: API, resource: Resource, namespace: str, changed: Callable[[], None]) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._changed = changed
        self._items: dict[str, Object] = {}
        self.problem = ""
        """Why the API cannot be read now; "" while it can."""
        self.refused = 0
        """HTTP status with which the API refused the last list; 0 if it did not."""
        self.synced = asyncio.Event()
        """Set once everything was listed: before that, absence means nothing."""

    @property
    def items(self) -> tuple[Object, ...]:
        """Return the objects, ordered by name."""
        return tuple(self._items[name] for name in sorted(self._items))

    def get(self, name: str) -> Object | None:
        """Return one object; ``<namespace>/<name>`` of a cache of all namespaces."""
        return self._items.get(name)

    async def run(self) -> None:
        """List and watch until cancelled."""
        delay = FIRST_RETRY
        while True:
            listed = False
            try:
                async with asyncio.timeout(RELIST):
                    version = await self._list()
                    listed, delay = True, FIRST_RETRY
                    self.refused = 0
                    self._tell("")
                    await self._watch(version)
            except TimeoutError:
                self._tell("" if listed else f"no answer within {RELIST:g} s")
            except APIError as error:
                self._refuse(0 if listed else error.code)
                self._tell("" if listed else str(error))
                _LOG.warning("%s, trying again in %.1f s", error, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)

    def _refuse(self, code: int) -> None:
        if code != self.refused:
            self.refused = code
            self._changed()

    def _tell(self, problem: str) -> None:
        """Remember what is wrong, and wake whoever reports it. A watch that broke is no problem: a list follows."""
        if problem != self.problem:
            self.problem = problem
            self._changed()

    def _key(self, item: Object) -> str:
        name, namespace = str(item["metadata"]["name"]), item["metadata"].get("namespace")
        return name if self._namespace or not namespace else f"{namespace}/{name}"

    async def _list(self) -> str:
        items, version = await self._api.list(self._resource, self._namespace)
        fresh = {self._key(item): item for item in items}
        if fresh != self._items or not self.synced.is_set():
            self._items = fresh
            self.synced.set()
            self._changed()
        return version

    async def _watch(self, version: str) -> None:
        async for event, item in self._api.watch(self._resource, self._namespace, version):
            name = self._key(item)
            if event == "DELETED":
                self._items.pop(name, None)
            elif event in ("ADDED", "MODIFIED"):
                self._items[name] = item
            else:
                continue
            self._changed()
