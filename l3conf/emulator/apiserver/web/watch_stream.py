"""Watches over HTTP: one JSON document per change in a chunked answer."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from aiohttp import web

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.disturbances import COMPACTED
from l3conf.emulator.apiserver.listing import parse_version
from l3conf.emulator.apiserver.outbox import Outbox
from l3conf.emulator.apiserver.watching import Watch
from l3conf.emulator.apiserver.web import media, queries
from l3conf.emulator.apiserver.web.context import hang_up
from l3conf.emulator.apiserver.web.media import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from l3conf.emulator.apiserver.disturbances import Disturbances, WatchFate
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.apiserver.watching import Seen
    from l3conf.emulator.apiserver.web.context import Call
    from l3conf.emulator.cluster_api import Object

LONGEST = 3600
"""Seconds after which a watch that names no timeout ends; clients watch on from where they are."""
BOOKMARK_EVERY = 60.0
"""Seconds of silence after which a client that wants bookmarks gets one."""


class WatchStreams:
    """All HTTP watches of one server, so that they can end together."""

    def __init__(self, store: Store, disturbances: Disturbances) -> None:
        self._store = store
        self._disturbances = disturbances
        self._open: set[Watch] = set()

    def close(self) -> None:
        """End all watches."""
        for watch in tuple(self._open):
            watch.close()

    async def serve(self, call: Call, resource: Resource, namespace: str | None) -> web.StreamResponse:
        """Stream changes until the client's timeout, its departure, or the server's end."""
        query = call.request.query
        wants_bookmarks = queries.flag(query, "allowWatchBookmarks")
        initial = _wants_initial_events(query, wants_bookmarks=wants_bookmarks)
        version = parse_version(query.get("resourceVersion", ""))
        after = None if initial or (initial is None and not version) else version or self._store.version
        accepted = media.accepted(call.request.headers.get("Accept", ""))
        watch = Watch(self._store, resource, namespace, queries.list_query(query), after=after)
        self._open.add(watch)
        unhook = self._disturbances.wakes(watch.wake)
        try:
            response = web.StreamResponse(headers={"Content-Type": media.JSON})
            response.enable_chunked_encoding()
            await response.prepare(call.request)
            fate = partial(self._disturbances.of_watch, call.client)
            stream = _Stream(call, resource, accepted.shape, response, fate, bookmarks=wants_bookmarks)
            seconds = queries.number(query, "timeoutSeconds") or LONGEST
            with suppress(ConnectionError):  # the client has gone, as watching clients do
                await stream.run(watch, initial=bool(initial), seconds=seconds)
            return response
        finally:
            unhook()
            watch.close()
            self._open.discard(watch)


def _wants_initial_events(query: object, *, wants_bookmarks: bool) -> bool | None:
    """Return ``sendInitialEvents``, None if it is not given; 422 where its companions are missing."""
    params: dict[str, str] = dict(query)  # type: ignore[call-overload]
    if "sendInitialEvents" not in params:
        return None
    wanted = queries.flag(params, "sendInitialEvents")
    if params.get("resourceVersionMatch") != "NotOlderThan" or (wanted and not wants_bookmarks):
        why = "sendInitialEvents needs resourceVersionMatch=NotOlderThan and allowWatchBookmarks=true"
        raise errors.StatusError(422, "Invalid", why)
    return wanted


class _Stream:
    """Writes one watch into one answer."""

    def __init__(
        self,
        call: Call,
        resource: Resource,
        shape: Shape,
        response: web.StreamResponse,
        fate: Callable[[], WatchFate],
        *,
        bookmarks: bool,
    ) -> None:
        self._call = call
        self._resource = resource
        self._shape = Shape.PARTIAL if shape is Shape.PARTIAL_LIST else shape
        self._response = response
        self._fate = fate
        self._bookmarks = bookmarks
        self._outbox = Outbox()

    async def run(self, watch: Watch, *, initial: bool, seconds: int) -> None:
        deadline = time.monotonic() + seconds
        if initial:
            version = watch.version
            await self._write(await watch.next(0.0))
            await self._bookmark(version, {"k8s.io/initial-events-end": "true"})
        said = time.monotonic()
        while not watch.closed and (now := time.monotonic()) < deadline:
            due = self._outbox.next_due
            found = await watch.next(max(0.0, min(deadline, said + BOOKMARK_EVERY, due or deadline) - now))
            fate, now = self._fate(), time.monotonic()
            if fate.ends:
                await self._meet(fate, watch, deadline)
                return
            version = watch.version
            self._outbox.take(found, fate, now)
            given = self._outbox.give(now)
            if given:
                await self._write(given)
            elif now - said >= BOOKMARK_EVERY and self._bookmarks and self._outbox.next_due is None:
                await self._bookmark(version)
            if given or now - said >= BOOKMARK_EVERY:
                said = now
        await self._write(self._outbox.give(inf))
        if watch.overflowed:
            await self._gone("the watch fell too far behind")
            return
        if self._bookmarks and not watch.closed:
            await self._bookmark(watch.version)
        await self._response.write_eof()

    async def _meet(self, fate: WatchFate, watch: Watch, deadline: float) -> None:
        """End in the way that a fault wants."""
        if fate.dropped:
            raise hang_up(self._call.request)
        if fate.expired:
            await self._gone(COMPACTED)
        while fate.silent and not watch.closed and (left := deadline - time.monotonic()) > 0:
            await watch.next(left)

    async def _write(self, events: Sequence[Seen]) -> None:
        if events:
            await self._response.write(b"".join(self._line(seen.type, seen.obj) for seen in events))

    async def _gone(self, why: str) -> None:
        """Tell that the client must list again, and end."""
        status = errors.gone(why).to_status()
        await self._response.write(media.encode({"type": "ERROR", "object": status}) + b"\n")
        await self._response.write_eof()

    def _line(self, kind: str, obj: Object) -> bytes:
        shown = self._call.shaped(obj, self._resource, self._shape)
        return media.encode({"type": kind, "object": shown}) + b"\n"

    async def _bookmark(self, version: int, annotations: dict[str, str] | None = None) -> None:
        metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        if self._shape is Shape.TABLE:
            kind = {"kind": "Table", "apiVersion": "meta.k8s.io/v1"}
            obj: Object = {**kind, "metadata": metadata, "columnDefinitions": [], "rows": []}
        else:
            obj = {**kind, "metadata": metadata}
        await self._response.write(media.encode({"type": "BOOKMARK", "object": obj}) + b"\n")
