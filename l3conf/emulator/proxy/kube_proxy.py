"""Keeps a node's ruleset in step with Services and EndpointSlices."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import service_ports
from l3conf.emulator.proxy.stale_flows import stale_flows
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.cluster_api import ClusterAPI, Object
    from l3conf.emulator.node_runtime import NodeGround
    from l3conf.emulator.proxy.service_ports import ServicePort
    from l3conf.model.topology import IPNetwork

logger = logging.getLogger(__name__)

SLICES = "endpointslices.discovery.k8s.io"
GATHER_SECONDS = 0.01
"""Changes within this time make one load: pods become ready in bursts."""
FIRST_RETRY = 0.2
LONGEST_RETRY = 30.0


class KubeProxy:
    """One node's proxy. Loads the whole table at once, and only when its text has changed."""

    def __init__(self, api: ClusterAPI, *, ground: NodeGround, cluster_cidrs: Sequence[IPNetwork]) -> None:
        self._cache = Cache(api)
        self._ground = ground
        self._cluster_cidrs = tuple(cluster_cidrs)
        self._changed = asyncio.Event()
        self._loaded: dict[IPFamily, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._failure = ""
        self.synced = asyncio.Event()
        """Set while the kernel has what the API says, as far as this proxy knows."""

    def start(self) -> None:
        """Begin to watch."""
        for resource in ("services", SLICES):
            self._cache.watch(resource, self._on_change)
        self._changed.set()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"kube-proxy {self._ground.name}")

    async def stop(self) -> None:
        """End; the rules stay, as they do when kube-proxy ends."""
        self._cache.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _on_change(self, _before: Object | None, _after: Object | None) -> None:
        self.synced.clear()
        self._changed.set()

    async def _run(self) -> None:
        delay = FIRST_RETRY
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            if await self._try_sync():
                delay = FIRST_RETRY
            else:
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY)
                self._changed.set()

    async def _try_sync(self) -> bool:
        try:
            await self._sync()
        except Exception as error:  # noqa: BLE001 - a failed load is tried again, whatever broke
            if str(error) != self._failure:
                self._failure = str(error)
                logger.warning("kube-proxy %s: %s", self._ground.name, error)
            return False
        self._failure = ""
        if not self._changed.is_set():
            self.synced.set()
        return True

    async def _sync(self) -> None:
        for family in IPFamily:
            ports = self._ports(family)
            if not ports and family not in self._loaded:
                continue  # there has been no Service of that family
            text = ruleset(ports, family=family, cluster_cidrs=self._cluster_cidrs)
            if text != self._loaded.get(family):
                await self._ground.load_ruleset(text)
                await self._ground.forget_flows(family, stale_flows(ports))
                self._loaded[family] = text

    def _ports(self, family: IPFamily) -> list[ServicePort]:
        services, slices = list(self._cache.list("services")), self._cache.list(SLICES)
        return service_ports(services, slices, node=self._ground.name, family=family)
