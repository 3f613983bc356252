"""The kubelet: watches the pods bound to its node and keeps one worker for each."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.event_recorder import EventRecorder
from l3conf.emulator.node.context import BackOffTimes, ClusterDNS, NodeContext
from l3conf.emulator.node.heartbeat import Heartbeat
from l3conf.emulator.node.node_object import RENEW_SECONDS
from l3conf.emulator.node.pod_worker import PodWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from l3conf.emulator.cluster_api import ClusterAPI, Object
    from l3conf.emulator.node.context import APIAccess, IssueToken
    from l3conf.emulator.node_runtime import Image, NodeGround
    from l3conf.model.topology import IPAddress

logger = logging.getLogger(__name__)

NOT_FOUND = 404
SOURCES = ("configmaps", "secrets")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Kubelet:
    """One node of one cluster."""

    def __init__(  # noqa: PLR0913 - collaborators and settings, all by keyword
        self,
        api: ClusterAPI,
        *,
        cluster: str,
        ground: NodeGround,
        images: Iterable[Image],
        state_directory: Path,
        api_access: APIAccess,
        issue_token: IssueToken,
        labels: Mapping[str, str] | None = None,
        dns: ClusterDNS | None = None,
        back_off: BackOffTimes | None = None,
        renew_seconds: float = RENEW_SECONDS,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.node = ground.name
        self.workers: dict[str, PodWorker] = {}
        """Workers by pod uid."""
        self._context = NodeContext(
            api=api,
            cluster=cluster,
            node=ground.name,
            ground=ground,
            images=tuple(images),
            events=EventRecorder(api, "kubelet", host=ground.name, now=now),
            state_directory=state_directory,
            api_access=api_access,
            dns=dns or ClusterDNS(),
            issue_token=issue_token,
            now=now,
            back_off=back_off or BackOffTimes(),
        )
        self._heartbeat = Heartbeat(self._context, labels or {}, renew_seconds=renew_seconds)
        self._unsubscribe: list[Callable[[], None]] = []
        self._watches_sources = False
        self._finished: set[str] = set()

    def start(self) -> None:
        """Register the node and take its pods. Raises ``StatusError`` if the API refuses the Node."""
        self._heartbeat.start()
        self._unsubscribe.append(self._context.api.subscribe("pods", self._on_pod))

    async def stop(self) -> None:
        """End all pods' processes at once and fall silent. The API keeps what it was last told."""
        self._heartbeat.stop()
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        await asyncio.gather(*(worker.shut_down() for worker in list(self.workers.values())))

    def moved(self, addresses: tuple[IPAddress, ...]) -> None:
        """Take the node's new addresses and say so in its status; pods of the host's network keep what they were told.

        A kubelet does so within ``nodeStatusUpdateFrequency``, 10 s; this one at once.
        """
        self._context.ground.addresses = addresses
        self._heartbeat.report()

    def pod(self, namespace: str, name: str) -> PodWorker | None:
        """Return the worker of a pod by name: the newest, where an older one of that name is still ending."""
        for worker in reversed(list(self.workers.values())):
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return worker
        return None

    def _on_pod(self, event: str, pod: Object) -> None:
        if pod["spec"].get("nodeName") != self.node:
            return
        uid = pod["metadata"]["uid"]
        worker = self.workers.get(uid)
        if event == "DELETED":
            self._finished.discard(uid)
            if worker is not None:
                worker.vanish()
        elif worker is not None:
            worker.update(pod)
        elif uid not in self._finished:
            self._take(pod)

    def _take(self, pod: Object) -> None:
        """Start a pod that is new here; one that ended in an earlier life of this node is only removed."""
        metadata = pod["metadata"]
        phase = (pod.get("status") or {}).get("phase")
        if metadata.get("deletionTimestamp"):
            self._forget(pod)
        elif phase not in {"Succeeded", "Failed"}:
            try:
                worker = PodWorker(self._context, pod, self._done)
            except (StatusError, KeyError, TypeError) as error:
                logger.warning("pod %s/%s: %r", metadata["namespace"], metadata["name"], error)
                return
            self.workers[metadata["uid"]] = worker
            if not self._watches_sources:
                self._watch_sources()
            worker.start()

    def _forget(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self._finished.add(metadata["uid"])
        try:
            self._context.api.delete(
                "pods", metadata["name"], metadata["namespace"], grace_period_seconds=0, uid=metadata["uid"]
            )
        except StatusError as error:
            if error.code != NOT_FOUND:
                logger.warning("pod %s/%s: %s", metadata["namespace"], metadata["name"], error)

    def _done(self, worker: PodWorker) -> None:
        self.workers.pop(worker.uid, None)
        self._finished.add(worker.uid)

    def _watch_sources(self) -> None:
        """Only nodes that have pods need to know of ConfigMaps and Secrets."""
        self._watches_sources = True
        for resource in SOURCES:
            self._unsubscribe.append(self._context.api.subscribe(resource, partial(self._on_source, resource)))

    def _on_source(self, resource: str, _event: str, obj: Object) -> None:
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        for worker in list(self.workers.values()):
            if worker.pod["metadata"]["namespace"] == namespace:
                worker.source_changed(resource, name)
