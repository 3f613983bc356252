"""Carries out ReplicaSet plans through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.ownership import adoptable, controller_of, controller_reference, is_controlled_by
from l3conf.emulator.controllers.pod_template import pod_from_template
from l3conf.emulator.controllers.replica_sets import plan_replica_set
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

REPLICA_SETS = "replicasets.apps"


class ReplicaSetController:
    """Watches ReplicaSets and pods."""

    def __init__(self, cache: Cache, now: Callable[[], datetime]) -> None:
        self._cache = cache
        self._now = now
        self._queue: WorkQueue[Key] = WorkQueue("replicaset", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch(REPLICA_SETS, self._on_replica_set)
        self._cache.watch("pods", self._on_pod)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_replica_set(self, _before: Object | None, after: Object | None) -> None:
        if after is not None:
            self._queue.add(Key.of(after))

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        pod = after or before
        if pod is not None and (owner := controller_of(pod)) is not None and owner["kind"] == "ReplicaSet":
            self._queue.add(Key(pod["metadata"]["namespace"], owner["name"]))

    def _reconcile(self, key: Key) -> None:
        replica_set = self._cache.get(REPLICA_SETS, key)
        if replica_set is None or replica_set["metadata"].get("deletionTimestamp"):
            return
        reference = controller_reference(replica_set, "apps/v1", "ReplicaSet")
        plan = plan_replica_set(replica_set, self._own_pods(replica_set, reference), self._now())
        for pod in plan.delete:
            self._cache.delete("pods", pod)
        for _ in range(plan.create):
            self._cache.create("pods", pod_from_template(replica_set, reference, replica_set["spec"]["template"], {}))
        current = replica_set.get("status") or {}
        if any(current.get(field, 0) != value for field, value in plan.status.items()):
            self._cache.patch(REPLICA_SETS, key, {"status": dict(plan.status)}, subresource="status")
        if plan.check_again_in is not None:
            self._queue.add_after(key, plan.check_again_in)

    def _own_pods(self, replica_set: Object, reference: Object) -> list[Object]:
        pods = list(self._cache.list("pods", replica_set["metadata"]["namespace"]))
        own = [pod for pod in pods if is_controlled_by(pod, replica_set)]
        patch = {"metadata": {"ownerReferences": [dict(reference)]}}
        return own + [self._cache.patch("pods", Key.of(pod), patch) for pod in adoptable(pods, replica_set)]
