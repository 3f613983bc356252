"""All control loops of one cluster over one cache."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from l3conf.emulator.controllers.cache import Cache
from l3conf.emulator.controllers.daemon_set_controller import DaemonSetController
from l3conf.emulator.controllers.deployment_controller import DeploymentController
from l3conf.emulator.controllers.endpoint_slice_controller import EndpointSliceController
from l3conf.emulator.controllers.garbage_collector import GarbageCollector
from l3conf.emulator.controllers.kubernetes_service import publish_kubernetes_service
from l3conf.emulator.controllers.namespaces import NamespaceController
from l3conf.emulator.controllers.node_lifecycle import NodeLifecycleController
from l3conf.emulator.controllers.replica_set_controller import ReplicaSetController
from l3conf.emulator.controllers.scheduler import Scheduler
from l3conf.emulator.controllers.service_accounts import ServiceAccountController

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import ClusterAPI
    from l3conf.emulator.controllers.kubernetes_service import ControlPlane


class Controller(Protocol):
    """One control loop."""

    def start(self) -> None:
        """Begin to watch."""

    def stop(self) -> None:
        """Do nothing more."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ControllerManager:
    """What kube-controller-manager and kube-scheduler do for one cluster."""

    def __init__(
        self,
        api: ClusterAPI,
        *,
        control_plane: ControlPlane,
        node_grace_seconds: float = 40.0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._api = api
        self._control_plane = control_plane
        self._cache = Cache(api)
        self._controllers: tuple[Controller, ...] = (
            NamespaceController(self._cache, now),
            ServiceAccountController(self._cache, control_plane.ca_pem),
            DeploymentController(self._cache, now),
            ReplicaSetController(self._cache, now),
            DaemonSetController(self._cache, now),
            Scheduler(self._cache, now),
            EndpointSliceController(self._cache),
            NodeLifecycleController(self._cache, now, grace_seconds=node_grace_seconds),
            GarbageCollector(self._cache),
        )

    def start(self) -> None:
        """Publish Service default/kubernetes, then begin to watch. Must run on the event loop's thread."""
        publish_kubernetes_service(self._api, self._control_plane)
        for controller in self._controllers:
            controller.start()

    async def stop(self) -> None:
        """End all loops."""
        for controller in self._controllers:
            controller.stop()
        self._cache.close()
