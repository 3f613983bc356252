"""Discovery documents: which groups, versions and resources are served, in the old and the aggregated form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.definitions import priority

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object

VERSION: Object = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2024-12-11T17:59:15Z",
    "goVersion": "go1.23.3",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""The version of the API that is spoken; clients choose features by it."""

_SUBRESOURCES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "status": ("", "", ("get", "patch", "update")),
    "finalize": ("", "", ("update",)),
    "scale": ("autoscaling/v1", "Scale", ("get", "patch", "update")),
    "token": ("authentication.k8s.io/v1", "TokenRequest", ("create",)),
    "eviction": ("policy/v1", "Eviction", ("create",)),
    "binding": ("v1", "Binding", ("create",)),
    "exec": ("v1", "PodExecOptions", ("create", "get")),
    "log": ("v1", "Pod", ("get",)),
}
"""Subresource → apiVersion and kind that it takes (empty: the resource's own) and verbs."""


def group_versions(registry: Registry) -> dict[str, list[str]]:
    """Return group → versions, best first; the core group under ""."""
    found: dict[str, set[str]] = {}
    for resource in registry:
        found.setdefault(resource.group, set()).add(resource.version)
    return {group: sorted(versions, key=priority) for group, versions in found.items()}


def core_versions() -> Object:
    """Return ``/api``."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Object:
    """Return ``/apis``."""
    groups = [_group(group, versions) for group, versions in group_versions(registry).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """Return ``/apis/<group>``; None if nothing of it is served."""
    versions = group_versions(registry).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions and name else None


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Object | None:
    """Return ``/api/v1`` or ``/apis/<group>/<version>``; None if nothing of it is served."""
    found = [r for r in registry if (r.group, r.version) == (group_name, version)]
    if not found:
        return None
    entries = [entry for resource in found for entry in _entries(resource)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": entries,
    }


def _entries(resource: Resource) -> Iterable[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    yield entry
    for name in resource.subresources:
        api_version, kind, verbs = _SUBRESOURCES[name]
        sub: Object = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind or resource.kind,
            "verbs": list(verbs),
        }
        if api_version:
            group_name, _, version = api_version.rpartition("/")
            sub |= {"group": group_name, "version": version}
        yield sub


def aggregated(registry: Registry, api_version: str, *, core: bool) -> Object:
    """Return ``/api`` or ``/apis`` as APIGroupDiscoveryList of apidiscovery.k8s.io at ``api_version``."""
    by_version: dict[tuple[str, str], list[Resource]] = {}
    for resource in registry:
        by_version.setdefault((resource.group, resource.version), []).append(resource)
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_resource(r) for r in by_version[name, version]],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }
        for name, versions in group_versions(registry).items()
        if core == (not name)
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{api_version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(resource: Resource) -> Object:
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular_name,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [_aggregated_subresource(resource, name) for name in resource.subresources]
    return found


def _aggregated_subresource(resource: Resource, name: str) -> Object:
    api_version, kind, verbs = _SUBRESOURCES[name]
    group_name, _, version = (api_version or resource.api_version).rpartition("/")
    response = {"group": group_name, "version": version, "kind": kind or resource.kind}
    return {"subresource": name, "responseKind": response, "verbs": list(verbs)}
