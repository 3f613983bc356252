"""Namespace lifecycle: a deleted namespace is emptied of everything before it goes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.conditions import with_condition
from l3conf.emulator.controllers.served_resources import BUILT_IN_RESOURCES, DEFINITIONS, ServedResource, defined_by
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

FINALIZER = "kubernetes"
CHECK_AGAIN_SECONDS = 0.5
"""What has no finalizer is gone at once; the rest tells nobody when it goes, so it is looked at again."""
LONGEST_CHECK_SECONDS = 5.0
NOT_FOUND = 404


def content_conditions(remaining: Mapping[str, Iterable[Object]], failures: Iterable[str]) -> list[Object]:
    """Say what keeps a namespace: ``remaining`` objects by resource, and what could not be deleted."""
    counts = {resource: len(list(objects)) for resource, objects in remaining.items()}
    finalizers = Counter(
        finalizer
        for objects in remaining.values()
        for obj in objects
        for finalizer in obj["metadata"].get("finalizers") or ()
    )
    listed = ", ".join(f"{resource} has {count} resource instances" for resource, count in sorted(counts.items()))
    held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    failed = "; ".join(failures)
    return [
        _condition("NamespaceDeletionDiscoveryFailure", "", "ResourcesDiscovered", ""),
        _condition("NamespaceDeletionContentFailure", failed, "ContentDeleted", "ContentDeletionFailed"),
        _condition(
            "NamespaceContentRemaining",
            listed and f"Some resources are remaining: {listed}",
            "ContentRemoved",
            "SomeResourcesRemain",
        ),
        _condition(
            "NamespaceFinalizersRemaining",
            held and f"Some content in the namespace has finalizers remaining: {held}",
            "ContentHasNoFinalizers",
            "SomeFinalizersRemain",
        ),
    ]


def _condition(kind: str, message: str, well: str, wrong: str) -> Object:
    if not message:
        return {"type": kind, "status": "False", "reason": well, "message": "All is as it should be"}
    return {"type": kind, "status": "True", "reason": wrong, "message": message}


class NamespaceController:
    """Watches namespaces and CRDs."""

    def __init__(self, cache: Cache, now: Callable[[], datetime]) -> None:
        self._cache = cache
        self._now = now
        self._checks: Counter[Key] = Counter()
        self._queue: WorkQueue[Key] = WorkQueue("namespace", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch(DEFINITIONS)
        self._cache.watch("namespaces", self._on_namespace)
        self._cache.watch("pods", self._on_pod)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_namespace(self, _before: Object | None, after: Object | None) -> None:
        if after is not None and after["metadata"].get("deletionTimestamp"):
            self._queue.add(Key.of(after))

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        """Pods take their grace period: the usual reason for a namespace to wait."""
        if after is None and before is not None:
            key = Key("", before["metadata"]["namespace"])
            if key in self._checks:
                self._queue.add(key)

    def _reconcile(self, key: Key) -> None:
        namespace = self._cache.get("namespaces", key)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            del self._checks[key]
            return
        finalizers = namespace["spec"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        remaining, failures = self._empty(key.name)
        if remaining or failures:
            self._report(namespace, key, content_conditions(remaining, failures))
            self._checks[key] += 1
            self._queue.add_after(key, min(CHECK_AGAIN_SECONDS * self._checks[key], LONGEST_CHECK_SECONDS))
            return
        del self._checks[key]
        kept = [item for item in finalizers if item != FINALIZER]
        self._cache.patch("namespaces", key, {"spec": {"finalizers": kept}}, subresource="finalize")

    def _empty(self, name: str) -> tuple[dict[str, list[Object]], list[str]]:
        """Delete everything in a namespace; return what is still there and what could not be deleted."""
        remaining: dict[str, list[Object]] = {}
        failures: list[str] = []
        for resource in self._namespaced():
            try:
                for obj in self._cache.api.list(resource.name, name):
                    if not obj["metadata"].get("deletionTimestamp"):
                        self._cache.delete(resource.name, obj)
                if left := self._cache.api.list(resource.name, name):
                    remaining[resource.name] = left
            except StatusError as error:
                if error.code != NOT_FOUND:
                    failures.append(f"{resource.name}: {error}")
        return remaining, failures

    def _namespaced(self) -> Iterator[ServedResource]:
        yield from (item for item in BUILT_IN_RESOURCES if item.namespaced)
        for definition in self._cache.list(DEFINITIONS):
            resource = defined_by(definition)
            if resource is not None and resource.namespaced:
                yield resource

    def _report(self, namespace: Object, key: Key, conditions: Iterable[Object]) -> None:
        old = (namespace.get("status") or {}).get("conditions") or []
        new = old
        for item in conditions:
            new = with_condition(new, item, self._now())
        if new != old:
            self._cache.patch("namespaces", key, {"status": {"conditions": new}}, subresource="status")
