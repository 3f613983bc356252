"""One stored object, seen through the versions of its API (CRDs with conversion ``None``, the two Event groups).

Conversion ``None`` changes ``apiVersion`` and prunes what the other version's schema does not know, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object

_EVENT_NAMES = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
"""events.k8s.io/v1 name → core/v1 name."""
_EVENT_NAMES_BACK = {core: modern for modern, core in _EVENT_NAMES.items()}


def in_version(obj: Object, resource: Resource) -> Object:
    """Return a stored object as the resource's version shows it, sharing all that is the same."""
    if obj["apiVersion"] == resource.api_version:
        return obj
    shown = _renamed(obj, _EVENT_NAMES_BACK) if resource.stored_as == "events" else dict(obj)
    shown["apiVersion"] = resource.api_version
    if resource.custom is not None and resource.custom.schema is not None:
        shown, _ = resource.custom.schema.prune(shown)
    return shown


def check_convertible(obj: Object, resource: Resource) -> None:
    """Raise 500 for an object that is stored in a version which its definition has no more.

    It was left behind by whoever took the version away before all objects were written again.
    """
    group, _, version = obj["apiVersion"].rpartition("/")
    if resource.custom is not None and version not in resource.custom.defined:
        raise errors.internal(f"request to convert CR from an invalid group/version: {group}/{version}")


def to_storage(obj: Object, resource: Resource) -> Object:
    """Return an object that came in the resource's version as it is stored."""
    if resource.stored_as == "events":
        return {**_renamed(obj, _EVENT_NAMES), "apiVersion": "v1"}
    if resource.custom is None:
        return obj
    return {**obj, "apiVersion": f"{resource.group}/{resource.custom.storage_version}"}


def _renamed(obj: Mapping[str, Any], names: Mapping[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}
