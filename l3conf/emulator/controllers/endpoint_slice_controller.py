"""Carries out EndpointSlice and Endpoints plans for every Service with a selector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.endpoint_slices import MANAGED_BY_LABEL, MANAGER, SERVICE_LABEL, plan_slices
from l3conf.emulator.controllers.endpoints import plan_endpoints
from l3conf.emulator.controllers.selectors import matches_map
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from l3conf.emulator.cluster_api import Object

SLICES = "endpointslices.discovery.k8s.io"
GATHER_SECONDS = 0.01
"""Pods become ready in bursts; every write of a slice costs as much as it has endpoints."""


class EndpointSliceController:
    """Watches Services, Pods and EndpointSlices. A Service without selector is left to whoever made it."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._queue: WorkQueue[Key] = WorkQueue("endpointslice", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch("services", self._on_service)
        self._cache.watch("pods", self._on_pod)
        self._cache.watch(SLICES, self._on_slice)
        self._cache.watch("endpoints", self._on_endpoints)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_service(self, before: Object | None, after: Object | None) -> None:
        if (service := after or before) is not None:
            self._queue.add(Key.of(service))

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        pod = after or before
        if pod is None:
            return
        labels = [obj["metadata"].get("labels") or {} for obj in (before, after) if obj is not None]
        for service in self._cache.list("services", pod["metadata"]["namespace"]):
            selector = service["spec"].get("selector")
            if selector and any(matches_map(selector, item) for item in labels):
                self._queue.add_after(Key.of(service), GATHER_SECONDS)

    def _on_slice(self, before: Object | None, after: Object | None) -> None:
        piece = after or before
        if piece is not None and _is_ours(piece):
            self._queue.add(Key(piece["metadata"]["namespace"], piece["metadata"]["labels"].get(SERVICE_LABEL, "")))

    def _on_endpoints(self, before: Object | None, after: Object | None) -> None:
        """Endpoints that somebody made for no Service are theirs."""
        if (endpoints := after or before) is not None and self._cache.get("services", Key.of(endpoints)) is not None:
            self._queue.add(Key.of(endpoints))

    def _reconcile(self, key: Key) -> None:
        service = self._cache.get("services", key)
        if service is None:
            self._clean_up(key)
            return
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return
        pods = [
            pod
            for pod in self._cache.list("pods", key.namespace)
            if matches_map(selector, pod["metadata"].get("labels") or {})
        ]
        plan = plan_slices(service, pods, self._slices(key))
        for piece in plan.create:
            self._cache.create(SLICES, piece)
        for piece in plan.update:
            self._cache.update(SLICES, piece)
        for piece in plan.delete:
            self._cache.delete(SLICES, piece)
        self._write_endpoints(key, plan_endpoints(service, pods))

    def _slices(self, key: Key) -> Iterator[Object]:
        for piece in self._cache.list(SLICES, key.namespace):
            if _is_ours(piece) and piece["metadata"]["labels"].get(SERVICE_LABEL) == key.name:
                yield piece

    def _write_endpoints(self, key: Key, wanted: Object) -> None:
        present = self._cache.get("endpoints", key)
        if present is None:
            self._cache.create("endpoints", wanted)
        elif (present.get("subsets") or []) != wanted["subsets"] or _labels(present) != _labels(wanted):
            labels = wanted["metadata"]["labels"]
            changed = {**present, "metadata": {**present["metadata"], "labels": labels}, "subsets": wanted["subsets"]}
            self._cache.update("endpoints", changed)

    def _clean_up(self, key: Key) -> None:
        """Slices go with their owner, the Service; Endpoints have no owner reference."""
        for piece in self._slices(key):
            self._cache.delete(SLICES, piece)
        if (endpoints := self._cache.get("endpoints", key)) is not None:
            self._cache.delete("endpoints", endpoints)


def _is_ours(piece: Mapping[str, Any]) -> bool:
    return (piece["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER


def _labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}
