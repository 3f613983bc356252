"""A copy of one kind of object, kept fresh by list and watch."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError
from reference_impl.protocols.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.drivers.api import API, Object, Resource

_LOG = logging.getLogger(__name__)
_LASTING = 5.0
"""Seconds after which a watch counts as one that works."""
_SPREAD = 0.2
"""Share by which lists come earlier than due: agents that began together must not list together for ever."""
_LONGEST = 3600.0
"""Seconds for which a server is asked to keep a watch at most."""
_EARLY = 0.5
"""Seconds by which a server may be early: clocks differ."""
_EARLIER = 1.0
"""Seconds by which a server is asked to end a watch before we give it up as silent."""


class Cache:
    """Objects of one kind in one namespace, or in all (``namespace`` is ""), by name or by namespace and name.

    What an event or a list is worth, ``Mirror`` says. Whatever goes wrong with a watch (410, a broken connection, an
    event that never came) ends in a new list; while there is none, everything stays as it was last seen.
    """

    def __init__(
        self,
        api: API,
        resource: Resource,
        namespace: str,
        changed: Callable[[], None],
        mirror: Callable[[], Mirror] = Mirror,
        *,
        name: str = "",
    ) -> None:
        """``name``: of the only object that is looked at."""
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._name = name
        self._changed = changed
        self._mirror = mirror()
        self.problem = ""
        """Why the API cannot be read now; "" while it can."""
        self.refused = 0
        """HTTP status with which the API refused the last list; 0 if it did not."""
        self.synced = asyncio.Event()
        """Set once everything was listed: before that, absence means nothing."""

    @property
    def items(self) -> tuple[Object, ...]:
        """Return the objects, ordered by name."""
        return tuple(item for _, item in sorted(self._mirror.items.items()))

    def get(self, name: str) -> Object | None:
        """Return one object; ``<namespace>/<name>`` of a cache of all namespaces."""
        return self._mirror.items.get(name)

    async def run(self) -> None:
        """List and watch until cancelled."""
        time = asyncio.get_running_loop().time
        while True:
            listed = False
            relist = self._mirror.relist * random.uniform(1 - _SPREAD, 1)  # noqa: S311 - no secret
            began = time()
            try:
                async with asyncio.timeout(relist):
                    version = await self._list()
                    listed = True
                    self.refused = 0
                    self._tell("")
                    await self._watch(version, int(min(relist - _EARLIER - (time() - began), _LONGEST)))
                    self._mirror.lasted()
            except TimeoutError:
                self._mirror.lasted()
                self._tell("" if listed else f"no answer within {relist:.0f} s")
            except APIError as error:
                self._refuse(0 if listed else error.code)
                self._tell("" if listed else str(error))
                if listed and time() - began > _LASTING:
                    self._mirror.lasted()
                delay = self._mirror.failed(error.retry_after)
                _LOG.warning("%s, trying again in %.1f s", error, delay)
                await asyncio.sleep(delay)

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
        items, version = await self._api.list(self._resource, self._namespace, name=self._name)
        fresh = {self._key(item): item for item in items}
        if self._mirror.list_arrived(fresh, version):
            self.synced.set()
            self._changed()
        if self._mirror.is_behind:
            raise APIError(f"{self._resource.kind} list: it is older than what was seen before")
        return version

    async def _watch(self, version: str, seconds: int) -> None:
        """Watch until the server ends it as it was asked to; ``APIError`` if it does so for a reason of its own."""
        time = asyncio.get_running_loop().time
        due = time() + seconds - _EARLY
        watch = self._api.watch(self._resource, self._namespace, version, name=self._name, seconds=max(seconds, 0))
        async for event, item in watch:
            if self._mirror.event_arrived(event, self._key(item), item):
                self._changed()
        if seconds <= 0 or time() < due:
            raise APIError(f"{self._resource.kind} watch: the server ended it")
