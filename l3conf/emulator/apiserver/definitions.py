"""CustomResourceDefinitions: checked, established at once, served, and taking their objects with them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.defaults import fill
from l3conf.emulator.apiserver.json_copy import copied
from l3conf.emulator.apiserver.lifecycle import now
from l3conf.emulator.apiserver.resources import CustomVersion, Resource
from l3conf.emulator.apiserver.schemas.crd import check_crd, check_stored_versions
from l3conf.emulator.apiserver.schemas.structural import StructuralSchema
from l3conf.emulator.apiserver.store import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.cluster_api import Object

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""Finalizer that holds a definition while objects of it exist."""


class Definitions(Passive):
    """Keeps the registry in step with the CRDs that are stored."""

    def __init__(self, registry: Registry, verbs: Verbs) -> None:
        self._registry = registry
        self._verbs = verbs

    def admit(self, change: Change) -> None:
        """Complete a definition and refuse a bad one with all that is wrong with it."""
        if change.resource.key != DEFINITIONS:
            self._refuse_while_terminating(change)
            return
        crd = change.new
        _fill_definition(crd)
        if change.old is None:
            crd.pop("status", None)
        problems = check_crd(crd)
        if change.old is not None and not problems:
            problems = check_stored_versions(crd, by_status=change.subresource == "status")
        if problems:
            name = crd["metadata"].get("name") or ""
            raise errors.invalid(change.resource.kind, name, problems, change.resource.group)
        if change.old is None:
            crd["metadata"]["finalizers"] = sorted({*(crd["metadata"].get("finalizers") or ()), CLEANUP})
        crd["status"] = _status(crd, self._name_conflict(crd))

    def stored(self, change: Change) -> None:
        """Serve what a definition says now; once it is deleted, delete its objects and let it go."""
        if change.resource.key != DEFINITIONS:
            return
        crd = change.new
        if _is_established(crd):
            self._registry.define(crd["metadata"]["name"], served_versions(crd))
        if crd["metadata"].get("deletionTimestamp"):
            self._clean_up(crd)

    def removed(self, resource: Resource, obj: Object) -> None:
        """Withdraw a definition that is gone; let one go that waited for its last object."""
        if resource.key == DEFINITIONS:
            self._registry.withdraw(obj["metadata"]["name"])
        elif resource.custom is not None:
            crd = self._verbs.store.get(DEFINITIONS, Key("", resource.custom.definition))
            if crd is not None and crd["metadata"].get("deletionTimestamp"):
                self._release(crd)

    def _refuse_while_terminating(self, change: Change) -> None:
        if change.resource.custom is None or change.old is not None:
            return
        crd = self._verbs.store.get(DEFINITIONS, Key("", change.resource.custom.definition))
        if crd is not None and crd["metadata"].get("deletionTimestamp"):
            raise errors.method_not_allowed("create not allowed while custom resource definition is terminating")

    def _clean_up(self, crd: Object) -> None:
        resource = next(iter(self._registry.versions(crd["metadata"]["name"])), None)
        if resource is not None:
            for key, obj in self._verbs.store.items(resource.key):
                if not obj["metadata"].get("deletionTimestamp"):
                    # An object that cannot be converted cannot be deleted either, and holds its definition.
                    with suppress(errors.StatusError):
                        self._verbs.delete(resource, key.namespace, key.name)
        self._release(crd)

    def _release(self, crd: Object) -> None:
        """Take the cleanup finalizer off if no object is left. Called again when the last one goes."""
        name = crd["metadata"]["name"]
        live = self._verbs.store.get(DEFINITIONS, Key("", name))
        if live is None or CLEANUP not in (live["metadata"].get("finalizers") or ()):
            return
        if self._verbs.store.count(f"{live['spec']['names']['plural']}.{live['spec']['group']}"):
            return
        self._verbs.update(self._registry.named(DEFINITIONS), "", name, _without_cleanup)

    def _name_conflict(self, crd: Object) -> str:
        """Return why another definition of the group already has one of the names."""
        names, group = crd["spec"]["names"], crd["spec"]["group"]
        for resource in self._registry:
            mine = resource.custom is not None and resource.custom.definition == crd["metadata"]["name"]
            if resource.group != group or mine:
                continue
            if names["plural"] == resource.plural:
                return f'"{names["plural"]}" is already in use'
            if names["kind"] == resource.kind:
                return f'"{names["kind"]}" is already in use'
        return ""


def _without_cleanup(crd: Object) -> Object:
    crd["metadata"]["finalizers"] = [f for f in crd["metadata"].get("finalizers") or () if f != CLEANUP]
    return crd


def _fill_definition(crd: Object) -> None:
    spec = crd.setdefault("spec", {})
    fill(spec, {"conversion": {"strategy": "None"}, "names": {}})
    names = spec["names"]
    if kind := names.get("kind"):
        fill(names, {"singular": str(kind).lower(), "listKind": f"{kind}List"})


def _status(crd: Object, conflict: str) -> Object:
    old = crd.get("status") or {}
    accepted = _condition(old, "NamesAccepted", not conflict, "NoConflicts", conflict or "no conflicts found")
    established = _condition(
        old, "Established", not conflict, "InitialNamesAccepted", conflict or "the initial names have been accepted"
    )
    storage = [version["name"] for version in crd["spec"]["versions"] if version.get("storage")]
    conditions = [c for c in old.get("conditions") or () if c["type"] not in {"NamesAccepted", "Established"}]
    return {
        "acceptedNames": {} if conflict else copied(crd["spec"]["names"]),
        "conditions": [accepted, established, *conditions],
        "storedVersions": list(dict.fromkeys([*(old.get("storedVersions") or ()), *storage])),
    }


def _condition(status: Mapping[str, Any], kind: str, holds: bool, reason: str, message: str) -> Object:  # noqa: FBT001
    """Return a condition, with the time of its last change kept."""
    before = next((c for c in status.get("conditions") or () if c["type"] == kind), None)
    value = "True" if holds else "False"
    changed = before["lastTransitionTime"] if before and before["status"] == value else now()
    reason = reason if holds else "NamesConflict"
    return {"type": kind, "status": value, "lastTransitionTime": changed, "reason": reason, "message": message}


def _is_established(crd: Object) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def served_versions(crd: Object) -> list[Resource]:
    """Return the resources that a definition serves, in the order of ``priority``."""
    storage = next(version["name"] for version in crd["spec"]["versions"] if version.get("storage"))
    served = [version for version in crd["spec"]["versions"] if version.get("served")]
    return [_resource(crd, version, storage) for version in sorted(served, key=lambda v: priority(v["name"]))]


def priority(version: str) -> tuple[int, int, int, str]:
    """Return the sort key of Kubernetes' version order: GA, beta, alpha, each newest first, then anything else."""
    import re  # noqa: PLC0415 - only definitions need it

    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), version)


def _resource(crd: Object, version: Mapping[str, Any], storage: str) -> Resource:
    spec, names = crd["spec"], crd["spec"]["names"]
    subresources = version.get("subresources") or {}
    openapi = (version.get("schema") or {}).get("openAPIV3Schema")
    custom = CustomVersion(
        definition=crd["metadata"]["name"],
        storage_version=storage,
        defined=frozenset(each["name"] for each in spec["versions"]),
        schema=StructuralSchema(openapi) if openapi is not None else None,
        printer_columns=tuple(version.get("additionalPrinterColumns") or ()),
        scale=subresources.get("scale"),
        selectable=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()),
    )
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("status", "scale") if name in subresources),
        counts_generations=True,
        unconditional_update=False,
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        custom=custom,
    )
