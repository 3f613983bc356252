"""The garbage collector: deletes what has lost its owners, in the order that the deletion asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.ownership_graph import (
    FOREGROUND,
    ORPHAN,
    Action,
    Member,
    OwnershipGraph,
    Reference,
)
from l3conf.emulator.controllers.served_resources import BUILT_IN_RESOURCES, DEFINITIONS, ServedResource, defined_by
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import Object

NOT_FOUND = 404
IGNORED = frozenset({"events"})
"""Events come in numbers and own nothing."""


class GarbageCollector:
    """Watches every resource, also those that CRDs define."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._graph = OwnershipGraph()
        self._by_kind: dict[tuple[str, str], ServedResource] = {}
        self._queue: WorkQueue[str] = WorkQueue("garbagecollector", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        for resource in BUILT_IN_RESOURCES:
            if resource.name not in IGNORED:
                self._watch(resource)
        self._cache.watch(DEFINITIONS, self._on_definition)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _watch(self, resource: ServedResource) -> None:
        self._by_kind[resource.group, resource.kind] = resource
        self._cache.watch(resource.name, partial(self._on_object, resource.name))

    def _on_definition(self, before: Object | None, after: Object | None) -> None:
        resource = defined_by(after) if after is not None else None
        if resource is not None and (resource.group, resource.kind) not in self._by_kind:
            self._watch(resource)
        elif after is None and before is not None and (gone := defined_by(before)) is not None:
            self._by_kind.pop((gone.group, gone.kind), None)
            self._cache.unwatch(gone.name)
            for member in self._graph.of_resource(gone.name):
                self._gone(member)

    def _on_object(self, resource: str, before: Object | None, after: Object | None) -> None:
        if after is None:
            if before is not None and (member := self._graph.members.get(before["metadata"]["uid"])) is not None:
                self._gone(member)
            return
        member = Member.of(resource, Key.of(after), after)
        if self._graph.members.get(member.uid) == member:
            return
        if before is not None and before["metadata"]["uid"] != member.uid:
            self._on_object(resource, before, None)
        self._graph.put(member)
        if member.owners or member.deleting:
            self._queue.add(member.uid)
        for owner in member.owners:
            self._stir(owner.uid)

    def _gone(self, member: Member) -> None:
        self._graph.remove(member.uid)
        for dependent in self._graph.dependents(member.uid):
            self._queue.add(dependent.uid)
        for owner in member.owners:
            self._stir(owner.uid)

    def _stir(self, uid: str) -> None:
        """Look again at an owner that waits for its dependents."""
        owner = self._graph.members.get(uid)
        if owner is not None and owner.waits_for_dependents:
            self._queue.add(uid)

    def _reconcile(self, uid: str) -> None:
        member = self._graph.members.get(uid)
        if member is None:
            return
        obj = self._cache.get(member.resource, member.key)
        if obj is None or obj["metadata"]["uid"] != uid:
            return
        try:
            if member.deleting:
                self._finish_deletion(member, obj)
            else:
                self._act(member, obj)
        except StatusError as error:
            if error.code != NOT_FOUND:
                raise

    def _act(self, member: Member, obj: Object) -> None:
        decision = self._graph.decide(member, self._exists)
        if decision.action is Action.DROP_REFERENCES:
            references = obj["metadata"].get("ownerReferences") or []
            kept = [item for item in references if item["uid"] in decision.keep]
            self._cache.patch(member.resource, member.key, _pinned(obj, {"ownerReferences": kept}))
        elif decision.action is Action.DELETE:
            self._cache.delete(member.resource, obj)
        elif decision.action is Action.DELETE_IN_FOREGROUND:
            finalizers = [*member.finalizers, FOREGROUND] if FOREGROUND not in member.finalizers else member.finalizers
            self._cache.patch(member.resource, member.key, _pinned(obj, {"finalizers": list(finalizers)}))
            self._cache.delete(member.resource, obj)

    def _finish_deletion(self, member: Member, obj: Object) -> None:
        """Do what the finalizers of an object that is being deleted stand for."""
        if ORPHAN in member.finalizers:
            for dependent in self._graph.dependents(member.uid):
                self._orphan(dependent, member.uid)
            self._release(member, obj, ORPHAN)
        elif FOREGROUND in member.finalizers:
            blocking = self._graph.blocking(member.uid)
            for dependent in blocking:
                if not dependent.deleting:
                    self._queue.add(dependent.uid)
            if not blocking:
                self._release(member, obj, FOREGROUND)

    def _orphan(self, dependent: Member, owner: str) -> None:
        obj = self._cache.get(dependent.resource, dependent.key)
        if obj is None or obj["metadata"]["uid"] != dependent.uid:
            return
        kept = [item for item in obj["metadata"].get("ownerReferences") or () if item["uid"] != owner]
        self._cache.patch(dependent.resource, dependent.key, _pinned(obj, {"ownerReferences": kept or None}))

    def _release(self, member: Member, obj: Object, finalizer: str) -> None:
        kept = [item for item in member.finalizers if item != finalizer]
        self._cache.patch(member.resource, member.key, _pinned(obj, {"finalizers": kept or None}))

    def _exists(self, member: Member, reference: Reference) -> bool:
        """Ask the API about an owner that is not in the graph. One of an unknown kind may exist: keep."""
        group = reference.api_version.rpartition("/")[0]
        resource = self._by_kind.get((group, reference.kind))
        if resource is None:
            return True
        namespace = member.key.namespace if resource.namespaced else None
        try:
            owner = self._cache.api.get(resource.name, reference.name, namespace)
        except StatusError as error:
            if error.code != NOT_FOUND:
                raise
            return False
        return bool(owner["metadata"]["uid"] == reference.uid)


def _pinned(obj: Object, metadata: Object) -> Object:
    """Return a patch of metadata that only fits the state that was decided on."""
    return {
        "metadata": {**metadata, "uid": obj["metadata"]["uid"], "resourceVersion": obj["metadata"]["resourceVersion"]}
    }
