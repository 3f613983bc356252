"""The life of an object's metadata: birth, change, deletion. Pure but for the clock, the uid and the name suffix."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.schemas.field_error import forbidden, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.apiserver.options import DeleteOptions
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.cluster_api import Object

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and look-alikes, as ``k8s.io/apimachinery/pkg/util/rand``."""
_SUFFIX_LENGTH = 5
_GENERATED_LENGTH = 63
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace")
"""Metadata that only the server changes."""
_PROPAGATIONS = ("Orphan", "Background", "Foreground", "")


def timestamp(moment: datetime) -> str:
    """Return meta/v1 Time: RFC 3339 in UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    """Return the present as meta/v1 Time."""
    return timestamp(datetime.now(UTC))


def generated_name(prefix: str) -> str:
    """Return a name that starts with ``generateName``."""
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return prefix[: _GENERATED_LENGTH - _SUFFIX_LENGTH] + suffix


def born(obj: Object, resource: Resource, namespace: str) -> None:
    """Give a new object its metadata, in place."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if value is not None}
    if metadata.get("resourceVersion"):
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"):
        metadata.pop(name, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = generated_name(str(metadata["generateName"]))
    if namespace:
        metadata["namespace"] = namespace
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
    if resource.counts_generations:
        metadata["generation"] = 1
    obj["metadata"] = metadata


def carried_over(new: Object, old: Object, resource: Resource) -> Iterator[FieldError]:
    """Keep what only the server may change, in place; yield what the client tried against it."""
    metadata, before = new["metadata"], old["metadata"]
    for name, value in list(metadata.items()):
        if value is None:
            del metadata[name]
    if (uid := metadata.get("uid")) and uid != before["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
        raise errors.conflict(resource.plural, before["name"], why, resource.group)
    for name in _KEPT:
        metadata.pop(name, None)
        if name in before:
            metadata[name] = before[name]
    if before.get("deletionTimestamp"):
        added = [f for f in metadata.get("finalizers") or () if f not in (before.get("finalizers") or ())]
        if added:
            yield forbidden(
                "metadata.finalizers",
                f"no new finalizers can be added if the object is being deleted, found new finalizers {added}",
            )
    if metadata.get("name") != before["name"]:
        yield invalid("metadata.name", metadata.get("name", ""), "field is immutable")


def desired(obj: Object, resource: Resource) -> Mapping[str, Any]:
    """Return the part of an object whose changes ``metadata.generation`` counts."""
    observed = {"apiVersion", "kind", "metadata"}
    if resource.custom is None or "status" in resource.subresources:
        observed.add("status")
    return {key: value for key, value in obj.items() if key not in observed}


def counted(new: Object, old: Object, resource: Resource) -> None:
    """Bump the generation, in place, if the desired state changed."""
    if resource.counts_generations and desired(new, resource) != desired(old, resource):
        new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1


def may_go(obj: Object) -> bool:
    """Tell whether a deleted object has nothing left that holds it."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def check_preconditions(obj: Object, resource: Resource, options: DeleteOptions) -> None:
    """Raise 409 unless the object is the one that the client means."""
    metadata = obj["metadata"]
    if options.propagation not in _PROPAGATIONS:
        cause = invalid("propagationPolicy", options.propagation, "must be one of Orphan, Background, Foreground")
        raise errors.invalid("DeleteOptions", "", [cause], "meta.k8s.io")
    if options.uid is not None and options.uid != metadata["uid"]:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {metadata['uid']}"
        raise errors.conflict(resource.plural, metadata["name"], why, resource.group)
    if options.resource_version is not None and options.resource_version != metadata["resourceVersion"]:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {metadata['resourceVersion']}"
        )
        raise errors.conflict(resource.plural, metadata["name"], why, resource.group)


def grace_of(obj: Object, resource: Resource, asked: int | None) -> int:
    """Return the seconds that a deletion waits for a kubelet: 0 for all but running pods."""
    if resource.key != "pods":
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in {"Succeeded", "Failed"}:
        return 0
    grace = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    return 1 if grace < 0 else int(grace)


def doomed(obj: Object, resource: Resource, options: DeleteOptions) -> bool:
    """Mark an object as deleted, in place; return whether that changed anything."""
    metadata = obj["metadata"]
    before = (list(metadata.get("finalizers") or ()), metadata.get("deletionGracePeriodSeconds"))
    first = not metadata.get("deletionTimestamp")
    if finalizers := _finalizers(metadata.get("finalizers") or (), options.propagation):
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    grace = grace_of(obj, resource, options.grace_seconds)
    if first or grace < (metadata.get("deletionGracePeriodSeconds") or 0):
        metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
    if first and "generation" in metadata:
        metadata["generation"] += 1
    if resource.key == "namespaces":
        metadata.pop("deletionGracePeriodSeconds", None)
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return first or before != (metadata.get("finalizers") or [], metadata.get("deletionGracePeriodSeconds"))


def _finalizers(present: Any, propagation: str) -> list[str]:  # noqa: ANN401 - JSON
    if not propagation:
        return list(present)
    kept = [finalizer for finalizer in present if finalizer not in {FOREGROUND, ORPHAN}]
    return kept + {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
