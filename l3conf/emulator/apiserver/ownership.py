"""Field ownership: who is credited in ``metadata.managedFields``.

Objects that nobody ever applied carry no managedFields, as in clusters that are older than server-side apply:
the first apply credits what is there to ``before-first-apply``, and tracking begins. So controllers that
write many times a second pay nothing for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.admission import Change
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object


def schema_of(resource: Resource) -> Mapping[str, Any] | None:
    """Return the kind's OpenAPI schema, which says how lists merge; None if there is none."""
    from l3conf.emulator.apiserver.schemas import builtin  # noqa: PLC0415 - only appliers pay for the schemas

    if resource.custom is not None:
        return resource.custom.schema.openapi if resource.custom.schema else None
    return builtin.schema(resource.api_version, resource.kind)


def credited(change: Change) -> Object:
    """Return the object with the writer credited for what the write changes."""
    if change.options.applied:
        return _with_times_of(change.old, change.new)
    managed = change.new["metadata"].get("managedFields")
    if managed is not None and not managed:
        del change.new["metadata"]["managedFields"]
        return change.new
    if not managed or change.old is None or managed != change.old["metadata"].get("managedFields"):
        return change.new
    if {**change.new, "metadata": None} == {**change.old, "metadata": None} and _same_owned_metadata(change):
        return change.new
    from l3conf.emulator.apiserver.patching.server_side import track_update  # noqa: PLC0415 - only appliers pay

    return track_update(
        change.old,
        change.new,
        manager=change.options.field_manager or "unknown",
        api_version=change.resource.api_version,
        now=datetime.now(UTC),
        schema=schema_of(change.resource),
        subresource=change.subresource,
    )


def _with_times_of(old: Object | None, new: Object) -> Object:
    """Return ``new`` with the times of ``old`` if nothing else is different: applying the same again writes nothing.

    Only now can that be told: what was applied lacks the defaults within fields that are replaced as a whole.
    """
    if old is None or _without_times(old) != _without_times(new):
        return new
    return {**new, "metadata": {**new["metadata"], "managedFields": old["metadata"].get("managedFields")}}


def _without_times(obj: Object) -> Object:
    managed = obj["metadata"].get("managedFields") or ()
    entries = [{**entry, "time": ""} for entry in managed]
    entries.sort(
        key=lambda entry: [str(entry.get(name)) for name in ("manager", "operation", "apiVersion", "subresource")]
    )
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


def _same_owned_metadata(change: Change) -> bool:
    new, old = change.new["metadata"], (change.old or {})["metadata"]
    owned = ("labels", "annotations", "finalizers", "ownerReferences")
    return all(new.get(name) == old.get(name) for name in owned)
