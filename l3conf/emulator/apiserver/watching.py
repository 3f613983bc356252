"""Watches: the changes of a resource as one client wants to see them, in a queue that cannot grow without end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from l3conf.emulator.apiserver.listing import matcher
from l3conf.emulator.apiserver.versions import check_convertible, in_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.options import ListQuery
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.store import Event, Store
    from l3conf.emulator.cluster_api import Object

LIMIT = 4096
"""Changes that may wait for a slow client before it is cut off and must list again."""


class Seen(NamedTuple):
    """One change as the client sees it."""

    type: str
    obj: Object


class Watch:
    """Follows a resource from a resourceVersion on. ``close`` it when done."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        namespace: str | None,
        query: ListQuery,
        *,
        after: int | None,
        limit: int = LIMIT,
    ) -> None:
        """Start after a version, or with all that exists if ``after`` is None; 410 if it is too old."""
        self._store = store
        self._resource = resource
        self._matches = matcher(resource, namespace, query.label_selector, query.field_selector)
        self._limit = limit
        self._waiting: deque[Seen] = deque()
        self._news = asyncio.Event()
        self._end: Callable[[], None] | None = None
        self.closed = False
        self.overflowed = False
        if after is None:
            existing = [obj for _, obj in store.items(resource.key) if self._matches(obj)]
            for obj in existing:
                check_convertible(obj, resource)
            self._waiting.extend(Seen("ADDED", in_version(obj, resource)) for obj in existing)
        else:
            for event in store.since(resource.key, after):
                self._take(event)
        self._end = store.watch(resource.key, self._take)
        self._news.set()

    async def next(self, timeout: float) -> list[Seen]:  # noqa: ASYNC109 - an empty list is the answer, not an error
        """Return what happened: at least one change, unless ``timeout`` seconds passed, ``wake`` or ``close``."""
        if not self._waiting and not self.closed:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                return []
        found = list(self._waiting)
        self._waiting.clear()
        return found

    @property
    def version(self) -> int:
        """The resourceVersion up to which everything has been returned, if nothing is waiting."""
        return self._store.version

    def wake(self) -> None:
        """Let whoever waits for news look at once."""
        self._news.set()

    def close(self) -> None:
        """End the watch; whoever waits for news gets what there is."""
        self.closed = True
        if self._end is not None:
            self._end()
            self._end = None
        self._news.set()

    def _take(self, event: Event) -> None:
        seen = self._as_seen(event)
        if seen is None or self.closed:
            return
        if len(self._waiting) >= self._limit:
            self.overflowed = True
            self._waiting.clear()
            self.close()
            return
        self._waiting.append(seen)
        self._news.set()

    def _as_seen(self, event: Event) -> Seen | None:
        """Let objects that begin or cease to match appear and disappear."""
        matched = event.before is not None and self._matches(event.before)
        matches = event.type != "DELETED" and self._matches(event.obj)
        if not matched and not matches:
            return None
        kind = "MODIFIED" if matched and matches else "ADDED" if matches else "DELETED"
        return Seen(kind, in_version(event.obj, self._resource))
