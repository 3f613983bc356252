"""Carries out DaemonSet plans through the API."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.daemon_sets import (
    GENERATION_ANNOTATION,
    GENERATION_LABEL,
    HASH_LABEL,
    daemon_pod_spec,
    newest_hash,
    plan_daemon_set,
)
from l3conf.emulator.controllers.ownership import adoptable, controller_of, controller_reference, is_controlled_by
from l3conf.emulator.controllers.pod_template import pod_from_template
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from l3conf.emulator.cluster_api import Object

DAEMON_SETS = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"
ALREADY_THERE = 409


class DaemonSetController:
    """Watches DaemonSets, their pods and the nodes."""

    def __init__(self, cache: Cache, now: Callable[[], datetime]) -> None:
        self._cache = cache
        self._now = now
        self._queue: WorkQueue[Key] = WorkQueue("daemonset", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch(DAEMON_SETS, self._on_daemon_set)
        self._cache.watch("pods", self._on_pod)
        self._cache.watch("nodes", self._on_node)
        self._cache.watch(REVISIONS)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_daemon_set(self, before: Object | None, after: Object | None) -> None:
        if after is not None and (before is None or _asks_something_else(before, after)):
            self._queue.add(Key.of(after))

    def _on_pod(self, before: Object | None, after: Object | None) -> None:
        pod = after or before
        if pod is not None and (owner := controller_of(pod)) is not None and owner["kind"] == "DaemonSet":
            self._queue.add(Key(pod["metadata"]["namespace"], owner["name"]))

    def _on_node(self, before: Object | None, after: Object | None) -> None:
        if before is None or after is None or _where(before) != _where(after):
            for daemon_set in self._cache.list(DAEMON_SETS):
                self._queue.add(Key.of(daemon_set))

    def _reconcile(self, key: Key) -> None:
        daemon_set = self._cache.get(DAEMON_SETS, key)
        if daemon_set is None or daemon_set["metadata"].get("deletionTimestamp"):
            return
        reference = controller_reference(daemon_set, "apps/v1", "DaemonSet")
        self._ensure_revision(daemon_set, reference)
        plan = plan_daemon_set(
            daemon_set, self._cache.list("nodes"), self._own_pods(daemon_set, reference), self._now()
        )
        for pod in plan.delete:
            self._cache.delete("pods", pod)
        for node in plan.create_on:
            self._cache.create("pods", self._pod(daemon_set, reference, node))
        self._write_status(daemon_set, key, plan.status)
        if plan.check_again_in is not None:
            self._queue.add_after(key, plan.check_again_in)

    def _own_pods(self, daemon_set: Object, reference: Mapping[str, Any]) -> list[Object]:
        pods = list(self._cache.list("pods", daemon_set["metadata"]["namespace"]))
        own = [pod for pod in pods if is_controlled_by(pod, daemon_set)]
        patch = {"metadata": {"ownerReferences": [dict(reference)]}}
        return own + [self._cache.patch("pods", Key.of(pod), patch) for pod in adoptable(pods, daemon_set)]

    def _pod(self, daemon_set: Object, reference: Mapping[str, Any], node: str) -> Object:
        template = daemon_set["spec"]["template"]
        annotations = daemon_set["metadata"].get("annotations") or {}
        generation = annotations.get(GENERATION_ANNOTATION) or str(daemon_set["metadata"].get("generation", 1))
        labels = {HASH_LABEL: newest_hash(daemon_set), GENERATION_LABEL: generation}
        pod = pod_from_template(daemon_set, reference, template, labels)
        pod["spec"] = daemon_pod_spec(pod["spec"], node)
        return pod

    def _ensure_revision(self, daemon_set: Object, reference: Mapping[str, Any]) -> None:
        """Record the template, for ``kubectl rollout history`` and ``undo``."""
        namespace, digest = daemon_set["metadata"]["namespace"], newest_hash(daemon_set)
        name = f"{daemon_set['metadata']['name']}-{digest}"
        own = [item for item in self._cache.list(REVISIONS, namespace) if is_controlled_by(item, daemon_set)]
        newest = max((item["revision"] for item in own), default=0)
        present = next((item for item in own if item["metadata"]["name"] == name), None)
        if present is not None:
            if present["revision"] < newest:
                self._cache.patch(REVISIONS, Key(namespace, name), {"revision": newest + 1})
            return
        template = {**copy.deepcopy(daemon_set["spec"]["template"]), "$patch": "replace"}
        revision = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {**(template.get("metadata") or {}).get("labels", {}), HASH_LABEL: digest},
                "ownerReferences": [dict(reference)],
            },
            "data": {"spec": {"template": template}},
            "revision": newest + 1,
        }
        try:
            self._cache.create(REVISIONS, revision)
        except StatusError as error:
            if error.code != ALREADY_THERE:
                raise

    def _write_status(self, daemon_set: Object, key: Key, status: Mapping[str, int]) -> None:
        current = daemon_set.get("status") or {}
        if any(current.get(field, 0) != value for field, value in status.items()):
            self._cache.patch(DAEMON_SETS, key, {"status": dict(status)}, subresource="status")


def _asks_something_else(before: Object, after: Object) -> bool:
    """Skip the echo of our own status writes."""
    same = before.get("spec") == after.get("spec") and before["metadata"].get("generation") == after["metadata"].get(
        "generation"
    )
    return not same or before["metadata"]["uid"] != after["metadata"]["uid"]


def _where(node: Object) -> tuple[object, object, object]:
    """Return what decides placement; heartbeats do not."""
    spec = node.get("spec") or {}
    return node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable")
