"""``paths`` of one OpenAPI v3 document: which operations a resource has, and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.schemas.openapi import ServedResource

ALL_VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})

_ON_COLLECTION = {"list": "get", "create": "post", "deletecollection": "delete"}
_ON_ITEM = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_ON_SUBRESOURCE = {"get": "get", "update": "put", "patch": "patch"}
_WRITES = frozenset({"post", "put", "patch"})
_CONNECTS = {"log": ("get",), "exec": ("get", "post"), "attach": ("get", "post"), "portforward": ("get", "post")} | {
    "eviction": ("post",),
    "binding": ("post",),
    "token": ("post",),
    "proxy": ("get",),
}


def paths(resource: ServedResource, reference: dict[str, str], *, strategic: bool) -> dict[str, Any]:
    """Return the path items of one resource; ``strategic`` if it takes strategic merge patches."""
    maker = _Operations(resource, reference, strategic=strategic)
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    base = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    item = f"{base}/{{name}}"
    made = {base: maker.item(_served(_ON_COLLECTION, resource.verbs), ("namespace",))}
    if resource.namespaced and "list" in resource.verbs:
        made[f"{root}/{resource.plural}"] = maker.item(["get"], ())
    made[item] = maker.item(_served(_ON_ITEM, resource.verbs), ("namespace", "name"))
    for subresource in sorted(resource.subresources):
        methods = _CONNECTS.get(subresource) or _served(_ON_SUBRESOURCE, ALL_VERBS)
        made[f"{item}/{subresource}"] = maker.item(methods, ("namespace", "name"))
    return {path: operations for path, operations in made.items() if operations}


def _served(methods: dict[str, str], verbs: frozenset[str]) -> list[str]:
    return [method for verb, method in methods.items() if verb in verbs]


class _Operations:
    """Makes path items that share one resource's kind and schema."""

    def __init__(self, resource: ServedResource, reference: dict[str, str], *, strategic: bool) -> None:
        self._resource = resource
        self._reference = reference
        self._patches = [*_PATCHES, *(["application/strategic-merge-patch+json"] if strategic else [])]

    def item(self, methods: Iterable[str], variables: Iterable[str]) -> dict[str, Any]:
        operations: dict[str, Any] = {method: self._operation(method) for method in methods}
        places = [_path_parameter(name) for name in variables if name != "namespace" or self._resource.namespaced]
        if operations and places:
            operations["parameters"] = places
        return operations

    def _operation(self, method: str) -> dict[str, Any]:
        resource = self._resource
        body = {"application/json": {"schema": self._reference}}
        operation: dict[str, Any] = {
            "x-kubernetes-group-version-kind": {
                "group": resource.group,
                "version": resource.version,
                "kind": resource.kind,
            },
            "responses": {"200": {"description": "OK", "content": body}},
        }
        if method in _WRITES:
            operation["parameters"] = _WRITE_PARAMETERS + (_PATCH_PARAMETERS if method == "patch" else [])
            content = {media: {"schema": {"type": "object"}} for media in self._patches} if method == "patch" else body
            operation["requestBody"] = {"required": True, "content": content}
        return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


def _query_parameter(name: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind, "uniqueItems": True}}


_PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_WRITE_PARAMETERS = [
    _query_parameter("dryRun", "All: run every check, store nothing."),
    _query_parameter("fieldManager", "Who makes the change; recorded in metadata.managedFields."),
    _query_parameter("fieldValidation", "What to do about unknown fields: Ignore, Warn or Strict."),
]
_PATCH_PARAMETERS = [_query_parameter("force", "Take over fields of other managers.", "boolean")]
