"""The four kinds of patch, as functions from the live object to the wanted one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.ownership import schema_of
from l3conf.emulator.apiserver.patching.json_merge import merge_patch
from l3conf.emulator.apiserver.web.media import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.apiserver.options import WriteOptions
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object


def patcher(media_type: str, patch: Any, schema: Callable[[], Mapping[str, Any] | None]) -> Callable[[Object], Object]:  # noqa: ANN401 - JSON
    """Return what a JSON, merge or strategic patch does to an object; ``schema`` is asked only by strategic ones."""
    if media_type == JSON_PATCH:
        from l3conf.emulator.apiserver.patching.json_patch import json_patch  # noqa: PLC0415 - rarely sent

        return lambda live: _object(json_patch(live, patch))
    if not isinstance(patch, dict):
        raise errors.bad_request("a merge patch must be a JSON object")
    if media_type == MERGE_PATCH:
        return lambda live: _object(merge_patch(live, patch))
    if media_type == STRATEGIC_PATCH:
        from l3conf.emulator.apiserver.patching.strategic import strategic_merge_patch  # noqa: PLC0415 - needs schemas

        return lambda live: strategic_merge_patch(live, patch, schema())
    raise errors.unsupported_media_type((JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH))


def applied(live: Object | None, intent: Object, resource: Resource, options: WriteOptions, subresource: str) -> Object:
    """Return the object after server-side apply; 409 for fields that others own, unless forced."""
    from l3conf.emulator.apiserver.patching.server_side import apply  # noqa: PLC0415 - only appliers pay for it

    if not options.field_manager:
        raise errors.bad_request("fieldManager is required for apply patch")
    if (intent.get("metadata") or {}).get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    return apply(
        live,
        intent,
        manager=options.field_manager,
        force=options.force,
        api_version=resource.api_version,
        now=datetime.now(UTC),
        schema=schema_of(resource),
        subresource=subresource,
    )


def _object(value: Any) -> Object:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        raise errors.bad_request("the patch does not leave an object")
    return value
