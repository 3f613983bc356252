"""``ClusterAPI`` for components in the same process: the same checks, no HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.json_copy import copied, plain
from l3conf.emulator.apiserver.options import INTERNAL, DeleteOptions, ListQuery
from l3conf.emulator.apiserver.patching.json_merge import merge_patch
from l3conf.emulator.apiserver.subscriptions import Dispatcher, Subscription
from l3conf.emulator.apiserver.versions import in_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.store import Event
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.cluster_api import Object


class LocalAPI:
    """Implements ``cluster_api.ClusterAPI`` on one server's registry and verbs."""

    def __init__(self, registry: Registry, verbs: Verbs) -> None:
        self._registry = registry
        self._verbs = verbs
        self._dispatcher = Dispatcher()

    def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        """Return one object; 404 if there is none."""
        return copied(self._verbs.get(self._registry.named(resource), namespace or "", name))

    def list(
        self, resource: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> list[Object]:
        """Return the objects that match, ordered by key."""
        query = ListQuery(label_selector=label_selector, field_selector=field_selector)
        return copied(self._verbs.select(self._registry.named(resource), namespace, query).items)

    def create(self, resource: str, obj: Mapping[str, Any]) -> Object:
        """Create an object in the namespace that its metadata names."""
        found, new = self._registry.named(resource), plain(obj)
        namespace = self._namespace(found, new)
        return copied(self._verbs.create(found, namespace, new, INTERNAL))

    def update(self, resource: str, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Replace an object or a subresource of it; 409 if its resourceVersion is not the newest."""
        found, new = self._registry.named(resource), plain(obj)
        namespace, name = self._namespace(found, new), new["metadata"]["name"]
        return copied(self._verbs.update(found, namespace, name, lambda _live: new, INTERNAL, subresource=subresource))

    def patch(
        self,
        resource: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Object:
        """Apply a JSON merge patch."""
        found, change = self._registry.named(resource), plain(patch)
        return copied(
            self._verbs.update(
                found,
                namespace or "",
                name,
                lambda live: merge_patch(live, change),
                INTERNAL,
                subresource=subresource,
            )
        )

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object, or mark it deleted while something holds it."""
        options = DeleteOptions(grace_seconds=grace_period_seconds, uid=uid)
        self._verbs.delete(self._registry.named(resource), namespace or "", name, options)

    def subscribe(self, resource: str, callback: Callable[[str, Object], None]) -> Callable[[], None]:
        """Call back for all that exists, then for changes, from the event loop."""
        found = self._registry.named(resource)
        subscription = Subscription(callback)
        for _, obj in self._verbs.store.items(found.key):
            self._dispatcher.send(subscription, "ADDED", partial(self._shown, found, obj))
        stop = self._verbs.store.watch(found.key, partial(self._forward, found, subscription))

        def end() -> None:
            subscription.active = False
            stop()

        return end

    def _forward(self, resource: Resource, subscription: Subscription, event: Event) -> None:
        self._dispatcher.send(subscription, event.type, partial(self._shown, resource, event.obj))

    @staticmethod
    def _shown(resource: Resource, obj: Object) -> Object:
        return copied(in_version(obj, resource))

    @staticmethod
    def _namespace(resource: Resource, obj: Object) -> str:
        metadata = obj.setdefault("metadata", {})
        namespace: str = metadata.get("namespace") or ""
        if resource.namespaced and not namespace:
            raise errors.bad_request(f"{resource.plural}: metadata.namespace is required")
        return namespace
