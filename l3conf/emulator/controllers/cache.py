"""Local copies of whole resources, never behind the writes that were made through them.

A controller that plans from a plain watch cache sees its own writes late and would, for example, create a
pod twice. Here every answer of the API server goes into the cache at once, and the watch event that echoes
it later only wakes the handlers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from l3conf.emulator.apiserver.errors import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.emulator.cluster_api import ClusterAPI, Object

NOT_FOUND = 404


class Key(NamedTuple):
    """Namespace (empty for cluster scope) and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Key:
        """Return the key of an object."""
        metadata = obj["metadata"]
        return cls(metadata.get("namespace") or "", metadata["name"])


Handler: TypeAlias = "Callable[[Object | None, Object | None], None]"
"""Called with (before, after): before is None for a new object, after is None for a deleted one."""


@dataclass(slots=True)
class _Store:
    objects: dict[Key, Object] = field(default_factory=dict)
    """The newest state known, from writes or events."""
    seen: dict[Key, Object] = field(default_factory=dict)
    """The state that handlers were last told."""
    gone: set[str] = field(default_factory=set)
    """Uids that were deleted through this cache and whose DELETED event is still to come."""
    handlers: list[Handler] = field(default_factory=list)


class Cache:
    """Watches resources of one cluster. Objects that it returns are shared: read them, never change them."""

    def __init__(self, api: ClusterAPI) -> None:
        self.api = api
        self._stores: dict[str, _Store] = {}
        self._unsubscribe: dict[str, Callable[[], None]] = {}

    def watch(self, resource: str, handler: Handler | None = None) -> None:
        """Keep ``resource`` and tell ``handler`` of every object and change. ``StatusError`` 404 if unknown."""
        store = self._stores.get(resource)
        if store is None:
            store = self._stores[resource] = _Store()
            try:
                self._unsubscribe[resource] = self.api.subscribe(
                    resource, lambda event, obj: self._on_event(store, event, obj)
                )
            except StatusError:
                del self._stores[resource]
                raise
        if handler is not None:
            store.handlers.append(handler)
            for obj in list(store.seen.values()):
                handler(None, obj)

    def unwatch(self, resource: str) -> None:
        """Forget a resource whose definition is gone."""
        if (stop := self._unsubscribe.pop(resource, None)) is not None:
            stop()
        self._stores.pop(resource, None)

    def close(self) -> None:
        """End all watches."""
        for resource in list(self._unsubscribe):
            self.unwatch(resource)

    def get(self, resource: str, key: Key) -> Object | None:
        """Return an object of a watched resource, or None."""
        return self._stores[resource].objects.get(key)

    def list(self, resource: str, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects of a watched resource, in no particular order."""
        for key, obj in list(self._stores[resource].objects.items()):
            if namespace is None or key.namespace == namespace:
                yield obj

    def create(self, resource: str, obj: Mapping[str, Any]) -> Object:
        """Create an object."""
        return self._remember(resource, self.api.create(resource, obj))

    def update(self, resource: str, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Replace an object or a subresource of it."""
        return self._remember(resource, self.api.update(resource, obj, subresource=subresource))

    def patch(self, resource: str, key: Key, patch: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Merge-patch an object or a subresource of it."""
        namespace = key.namespace or None
        answer = self.api.patch(resource, key.name, patch, namespace=namespace, subresource=subresource)
        return self._remember(resource, answer)

    def delete(self, resource: str, obj: Mapping[str, Any], *, grace_period_seconds: int | None = None) -> None:
        """Delete exactly this object (by uid); one that is already gone is no error."""
        key, uid = Key.of(obj), obj["metadata"]["uid"]
        namespace = key.namespace or None
        try:
            self.api.delete(resource, key.name, namespace, grace_period_seconds=grace_period_seconds, uid=uid)
            left: Object | None = self.api.get(resource, key.name, namespace)
        except StatusError as error:
            if error.code != NOT_FOUND:
                raise
            left = None
        if left is not None and left["metadata"]["uid"] == uid:
            self._remember(resource, left)
        elif (store := self._stores.get(resource)) is not None and store.objects.pop(key, None) is not None:
            store.gone.add(uid)

    def _remember(self, resource: str, obj: Object) -> Object:
        store = self._stores.get(resource)
        if store is not None:
            self._keep(store, obj)
        return obj

    @staticmethod
    def _keep(store: _Store, obj: Object) -> None:
        key = Key.of(obj)
        known = store.objects.get(key)
        if known is None or _version(known) <= _version(obj):
            store.objects[key] = obj

    def _on_event(self, store: _Store, event: str, obj: Object) -> None:
        key, uid = Key.of(obj), obj["metadata"]["uid"]
        before = store.seen.get(key)
        after: Object | None = None
        if event == "DELETED":
            store.gone.discard(uid)
            store.seen.pop(key, None)
            if (known := store.objects.get(key)) is not None and known["metadata"]["uid"] == uid:
                del store.objects[key]
        else:
            after = store.seen[key] = obj
            if uid not in store.gone:
                self._keep(store, obj)
        for handler in list(store.handlers):
            handler(before if before is not None or after is not None else obj, after)


def _version(obj: Mapping[str, Any]) -> int:
    """Return the resourceVersion as the number that this API server makes it."""
    return int(obj["metadata"]["resourceVersion"])
