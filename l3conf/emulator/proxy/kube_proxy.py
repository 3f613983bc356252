"""Keeps a node's ruleset in step with Services and EndpointSlices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache
from l3conf.emulator.node.sync_loop import SyncLoop
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import service_ports
from l3conf.emulator.proxy.stale_flows import may_be_stale, udp_backends
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.cluster_api import ClusterAPI
    from l3conf.emulator.kernel.flows import Backends
    from l3conf.emulator.node_runtime import NodeGround
    from l3conf.emulator.proxy.service_ports import ServicePort
    from l3conf.model.topology import IPNetwork

SLICES = "endpointslices.discovery.k8s.io"


class KubeProxy:
    """One node's proxy. Loads the whole table at once, and only when its text has changed."""

    def __init__(self, api: ClusterAPI, *, ground: NodeGround, cluster_cidrs: Sequence[IPNetwork]) -> None:
        self._cache = Cache(api)
        self._ground = ground
        self._cluster_cidrs = tuple(cluster_cidrs)
        self._loaded: dict[IPFamily, str] = {}
        self._answering: dict[IPFamily, Backends] = {}
        """Who answers UDP by the rules that are loaded."""
        self._to_forget: set[IPFamily] = set()
        """Families in which flows may be older than the rules; kept until they are forgotten, whatever fails."""
        self._loop = SyncLoop(f"kube-proxy {ground.name}", self._sync)
        self.synced = self._loop.synced
        """Set while the kernel has what the API says, as far as this proxy knows."""

    def start(self) -> None:
        """Begin to watch."""
        self._loop.start(self._cache, ("services", SLICES))

    async def stop(self) -> None:
        """End; the rules stay, as they do when kube-proxy ends."""
        self._cache.close()
        await self._loop.stop()

    async def _sync(self) -> None:
        for family in IPFamily:
            ports = self._ports(family)
            if not ports and family not in self._loaded:
                continue  # there has been no Service of that family
            text = ruleset(ports, family=family, cluster_cidrs=self._cluster_cidrs)
            if text != self._loaded.get(family):
                await self._ground.load_ruleset(text)
                self._loaded[family] = text
                before, self._answering[family] = self._answering.get(family, {}), udp_backends(ports)
                if may_be_stale(before, self._answering[family]):
                    self._to_forget.add(family)
            if family in self._to_forget:
                await self._ground.forget_flows(family, self._answering[family])
                self._to_forget.discard(family)

    def _ports(self, family: IPFamily) -> list[ServicePort]:
        services, slices = list(self._cache.list("services")), self._cache.list(SLICES)
        return service_ports(services, slices, node=self._ground.name, family=family)
