"""Writes of which each is about one object: what the API has against it keeps no other from its turn."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Resource
from reference_impl.planner.exchange import WriteVerb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from reference_impl.drivers.api import API, Object
    from reference_impl.planner.exchange import Side, Write

_LOG = logging.getLogger(__name__)
REFUSED = frozenset({400, 403, 422})
"""HTTP statuses that are about the object, not about the server."""

_AT_ONCE = 8
"""Requests under way that do not depend on each other: a server far away is waited for in company."""


@contextmanager
def about_one_object() -> Iterator[None]:
    """Go on where one object is not taken, as in a namespace that is being deleted; what the server lacks is raised."""
    try:
        yield
    except (ConflictError, NotFoundError) as error:
        # The cache is behind; the event that brings it up to date wakes the loop again.
        _LOG.info("%s", error)
    except APIError as error:
        if error.code not in REFUSED:
            raise
        _LOG.warning("%s", error)


async def carry_out(apis: Mapping[Side, API], kind: Resource, write: Write) -> None:
    """Carry out one planned write."""
    api, metadata = apis[write.side], write.obj["metadata"]
    _LOG.info("%s %s %s at the %s", write.verb.value, kind.kind, metadata["name"], write.side.value)
    with about_one_object():
        match write.verb:
            case WriteVerb.CREATE:
                await api.create(kind, write.obj)
            case WriteVerb.REPLACE:
                await api.replace(kind, write.obj)
            case WriteVerb.DELETE:
                await api.delete(kind, metadata["name"], metadata["namespace"])


async def say(api: API, obj: Object, status: Mapping[str, object]) -> None:
    """Write status if the object is still the one that was seen: another agent may have its own words there."""
    metadata = obj["metadata"]
    patch = {"metadata": {"resourceVersion": metadata.get("resourceVersion")}, "status": dict(status)}
    with about_one_object():
        await api.merge_status(Resource.of(obj), metadata["name"], metadata.get("namespace") or "", patch)


async def side_by_side(writes: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Carry out writes that do not depend on each other; raise what one of them raised once those under way ended."""
    waiting = iter(writes)

    async def work() -> None:
        for write in waiting:
            await write()

    for outcome in await asyncio.gather(*(work() for _ in range(_AT_ONCE)), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def merge_patch(before: Object, after: Object) -> Object:
    """Return the JSON merge patch (RFC 7396) that makes ``after`` of ``before``: what is not named would stay. Pure."""
    changed = {
        key: merge_patch(old, value) if isinstance(value, dict) and isinstance(old := before.get(key), dict) else value
        for key, value in after.items()
    }
    return {**dict.fromkeys(before.keys() - after.keys()), **changed}


def rfc3339_now() -> str:
    """Return the time as objects of Kubernetes have it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
