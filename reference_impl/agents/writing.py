"""Writes of which each is about one object: what the API has against it keeps no other from its turn."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError
from reference_impl.planner.exchange import WriteVerb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reference_impl.drivers.api import API, Resource
    from reference_impl.planner.exchange import Side, Write

_LOG = logging.getLogger(__name__)
REFUSED = frozenset({400, 403, 422})
"""HTTP statuses that are about the object, not about the server."""


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
