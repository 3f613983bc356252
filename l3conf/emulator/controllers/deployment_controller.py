"""Carries out Deployment plans through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.deployments import REVISION, new_replica_set, plan_deployment
from l3conf.emulator.controllers.ownership import adoptable, controller_of, controller_reference, is_controlled_by
from l3conf.emulator.controllers.replica_set_controller import REPLICA_SETS
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.controllers.deployments import DeploymentPlan

DEPLOYMENTS = "deployments.apps"


class DeploymentController:
    """Watches Deployments and ReplicaSets."""

    def __init__(self, cache: Cache, now: Callable[[], datetime]) -> None:
        self._cache = cache
        self._now = now
        self._queue: WorkQueue[Key] = WorkQueue("deployment", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch(DEPLOYMENTS, self._on_deployment)
        self._cache.watch(REPLICA_SETS, self._on_replica_set)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_deployment(self, _before: Object | None, after: Object | None) -> None:
        if after is not None:
            self._queue.add(Key.of(after))

    def _on_replica_set(self, before: Object | None, after: Object | None) -> None:
        replica_set = after or before
        if replica_set is not None and (owner := controller_of(replica_set)) is not None:
            self._queue.add(Key(replica_set["metadata"]["namespace"], owner["name"]))

    def _reconcile(self, key: Key) -> None:
        deployment = self._cache.get(DEPLOYMENTS, key)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return
        reference = controller_reference(deployment, "apps/v1", "Deployment")
        plan = plan_deployment(deployment, self._own_sets(deployment, reference), self._now())
        self._carry_out(deployment, reference, plan)
        current = deployment.get("status") or {}
        if any(current.get(field, 0) != value for field, value in plan.status.items()):
            self._cache.patch(DEPLOYMENTS, key, {"status": dict(plan.status)}, subresource="status")
        if plan.check_again_in is not None:
            self._queue.add_after(key, plan.check_again_in)

    def _carry_out(self, deployment: Object, reference: Object, plan: DeploymentPlan) -> None:
        namespace = deployment["metadata"]["namespace"]
        if plan.newest is None:
            if not deployment["spec"].get("paused"):
                self._cache.create(REPLICA_SETS, new_replica_set(deployment, reference, plan))
        else:
            self._bring_to_date(plan.newest, plan)
        for name, replicas in plan.scale.items():
            self._cache.patch(REPLICA_SETS, Key(namespace, name), {"spec": {"replicas": replicas}})
        for item in plan.delete:
            self._cache.delete(REPLICA_SETS, item)
        annotations = deployment["metadata"].get("annotations") or {}
        if annotations.get(REVISION) != str(plan.revision):
            patch = {"metadata": {"annotations": {REVISION: str(plan.revision)}}}
            self._cache.patch(DEPLOYMENTS, Key.of(deployment), patch)

    def _bring_to_date(self, newest: Object, plan: DeploymentPlan) -> None:
        patch: Object = {}
        if int(newest["spec"].get("replicas", 1)) != plan.new_replicas:
            patch["spec"] = {"replicas": plan.new_replicas}
        if (newest["metadata"].get("annotations") or {}).get(REVISION) != str(plan.revision):
            patch["metadata"] = {"annotations": {REVISION: str(plan.revision)}}
        if patch:
            self._cache.patch(REPLICA_SETS, Key.of(newest), patch)

    def _own_sets(self, deployment: Object, reference: Object) -> list[Object]:
        sets = list(self._cache.list(REPLICA_SETS, deployment["metadata"]["namespace"]))
        own = [item for item in sets if is_controlled_by(item, deployment)]
        patch = {"metadata": {"ownerReferences": [dict(reference)]}}
        return own + [self._cache.patch(REPLICA_SETS, Key.of(item), patch) for item in adoptable(sets, deployment)]
