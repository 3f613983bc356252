"""Brings something on a node in step with the API, again whenever that changed, and until it succeeds."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.controllers.cache import Cache

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
"""Changes within this time make one step: pods become ready in bursts."""
FIRST_RETRY = 0.2
LONGEST_RETRY = 30.0


class SyncLoop:
    """Calls ``sync`` after changes, one call at a time; a failed call is tried again, less and less often."""

    def __init__(self, name: str, sync: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._sync = sync
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure = ""
        self.synced = asyncio.Event()
        """Set while the last step succeeded and nothing has changed since."""

    def start(self, cache: Cache, resources: Iterable[str]) -> None:
        """Begin, with a first step; each change of a resource asks for another one."""
        for resource in resources:
            cache.watch(resource, self._on_change)
        self._changed.set()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End; what was brought about stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _on_change(self, _before: Object | None, _after: Object | None) -> None:
        self.synced.clear()
        self._changed.set()

    async def _run(self) -> None:
        delay = FIRST_RETRY
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            if await self._try():
                delay = FIRST_RETRY
            else:
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY)
                self._changed.set()

    async def _try(self) -> bool:
        try:
            await self._sync()
        except Exception as error:  # noqa: BLE001 - a failed step is tried again, whatever broke
            if str(error) != self._failure:
                self._failure = str(error)
                logger.warning("%s: %s", self._name, error)
            return False
        self._failure = ""
        if not self._changed.is_set():
            self.synced.set()
        return True
