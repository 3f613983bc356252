"""What of an object a write through each subresource may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object


def merged(asked: Object, old: Object, resource: Resource, subresource: str) -> Object:
    """Return ``old`` with that part replaced that ``subresource`` stands for ("": all but the status)."""
    if not subresource:
        return _whole(asked, old, resource)
    if subresource not in resource.subresources:
        raise errors.no_such_path()
    if subresource == "status":
        return _status(asked, old, resource)
    if subresource == "finalize":
        finalizers = (asked.get("spec") or {}).get("finalizers") or []
        return {**old, "spec": {**(old.get("spec") or {}), "finalizers": finalizers}, "metadata": asked["metadata"]}
    if subresource in {"binding", "scale"}:
        return {**old, "spec": asked["spec"], "metadata": asked["metadata"]}
    raise errors.method_not_allowed()


def _whole(asked: Object, old: Object, resource: Resource) -> Object:
    if resource.key == "namespaces":
        asked["spec"] = old.get("spec") or {}
    if "status" not in resource.subresources:
        return asked
    kept = {key: value for key, value in asked.items() if key != "status"}
    return {**kept, "status": old["status"]} if "status" in old else kept


def _status(asked: Object, old: Object, resource: Resource) -> Object:
    """Built-in kinds let the metadata through as well (kubelets label their node so), custom resources do not."""
    metadata = asked["metadata"] if resource.custom is None else dict(old["metadata"])
    if resource.custom is not None and "managedFields" in asked["metadata"]:
        metadata["managedFields"] = asked["metadata"]["managedFields"]
    new = {key: value for key, value in old.items() if key != "status"} | {"metadata": metadata}
    return {**new, "status": asked["status"]} if "status" in asked else new
