"""Subresource ``scale``: one number of many kinds, seen as autoscaling/v1 Scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.cells import selector_text
from l3conf.emulator.apiserver.json_copy import copied
from l3conf.emulator.apiserver.schemas.field_error import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object

_BUILT_IN = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def to_scale(obj: Object, resource: Resource) -> Object:
    """Return an object's Scale."""
    paths = _paths(resource)
    if resource.custom is None:
        selector = selector_text((obj.get("spec") or {}).get("selector")).replace("<none>", "")
    else:
        selector = _read(obj, paths.get("labelSelectorPath", "")) or ""
    status = {"replicas": _read(obj, paths["statusReplicasPath"]) or 0}
    replicas = _read(obj, paths["specReplicasPath"])
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in _METADATA if name in obj["metadata"]},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {**status, "selector": selector} if selector else status,
    }


def with_scale(obj: Object, scale: Object, resource: Resource) -> Object:
    """Return a copy of an object with the number that a Scale wants; 422 if it is none."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid("Scale", obj["metadata"]["name"], [cause], "autoscaling")
    new = copied(obj)
    if version := (scale.get("metadata") or {}).get("resourceVersion"):
        new["metadata"]["resourceVersion"] = version
    steps = _paths(resource)["specReplicasPath"].strip(".").split(".")
    target = new
    for step in steps[:-1]:
        target = target.setdefault(step, {})
    target[steps[-1]] = replicas
    return new


def _paths(resource: Resource) -> Mapping[str, str]:
    return _BUILT_IN if resource.custom is None else (resource.custom.scale or _BUILT_IN)


def _read(obj: Object, path: str) -> Any:  # noqa: ANN401 - JSON
    value: Any = obj if path else None
    for step in path.strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
