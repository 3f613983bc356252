"""When the proxy of a node has connection tracking forget flows."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from l3conf.emulator.proxy.kube_proxy import SLICES, KubeProxy
from l3conf.tests.controllers.cluster import cluster, on_loop, service
from l3conf.tests.node.fake_ground import FakeGround

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from l3conf.emulator.kernel.flows import Backends
    from l3conf.model.topology import IPFamily
    from l3conf.tests.controllers.cluster import Cluster

SERVED = IPv4Address("10.101.0.20"), 80
JSON = dict[str, Any]


class _Node:
    """A proxy of a node, and one Service whose endpoints the test writes."""

    def __init__(self, east: Cluster, ground: FakeGround, protocol: str) -> None:
        self.api = east.api
        self.ground = ground
        self.proxy = KubeProxy(east.api, ground=ground, cluster_cidrs=[])
        port = {"name": "p", "port": 80, "targetPort": 8080, "protocol": protocol}
        self.api.create("services", service(clusterIP=str(SERVED[0]), selector=None, ports=[port]))
        self._slice = self.api.create(SLICES, _slice(protocol))

    def serve_from(self, *addresses: str) -> None:
        """Let these addresses be the endpoints."""
        self._slice = self.api.update(SLICES, {**self._slice, "endpoints": [{"addresses": [ip]} for ip in addresses]})

    async def backends(self, *addresses: str) -> list[Backends]:
        """Do that, and return what was to be forgotten once the node is in step again."""
        self.ground.forgotten.clear()
        self.serve_from(*addresses)
        await self.in_step(*addresses)
        return self.ground.forgotten

    async def in_step(self, *addresses: str) -> None:
        """Wait until the node's rules lead to these addresses and nothing is left to do."""
        async with asyncio.timeout(10):
            while _targets(self.ground) != sorted(addresses):
                self.ground.loaded.clear()
                await self.ground.loaded.wait()
            await self.proxy.synced.wait()


@asynccontextmanager
async def node(directory: Path, ground: FakeGround, protocol: str) -> AsyncIterator[_Node]:
    """Run a proxy that has seen its Service without endpoints."""
    async with cluster(directory) as east:
        made = _Node(east, ground, protocol)
        made.proxy.start()
        await made.in_step()
        yield made
        await made.proxy.stop()


def _slice(protocol: str) -> JSON:
    labels = {"kubernetes.io/service-name": "svc"}
    return {
        "metadata": {"name": "svc-1", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [{"name": "p", "port": 8080, "protocol": protocol}],
    }


def _targets(ground: FakeGround) -> list[str]:
    return sorted(re.findall(r"dnat to ([\d.]+):8080", ground.rulesets[-1])) if ground.rulesets else []


def answered_by(*addresses: str) -> list[Backends]:
    return [{SERVED: {(IPv4Address(address), 8080) for address in addresses}}]


@on_loop
async def test_flows_are_looked_for_where_a_first_backend_comes_or_one_goes(tmp_path: Path) -> None:
    async with node(tmp_path, FakeGround("n1"), "UDP") as n1:
        assert await n1.backends("10.1.0.2") == answered_by("10.1.0.2")
        assert await n1.backends("10.1.0.2", "10.1.0.3") == []
        assert await n1.backends("10.1.0.3") == answered_by("10.1.0.3")


@on_loop
async def test_flows_over_tcp_are_never_looked_for(tmp_path: Path) -> None:
    async with node(tmp_path, FakeGround("n1"), "TCP") as n1:
        assert await n1.backends("10.1.0.2") == []
        assert await n1.backends("10.1.0.3") == []


@on_loop
async def test_flows_are_forgotten_after_a_failure_even_if_all_is_as_it_was(tmp_path: Path) -> None:
    """Flows that began under the rules in between are older than the rules that are back."""

    class Forgetful(FakeGround):
        fails = asyncio.Event()

        async def forget_flows(self, family: IPFamily, backends: Backends) -> None:
            if self.fails.is_set():
                self.fails.clear()
                n1.serve_from("10.1.0.2")
                raise OSError("conntrack: no buffer space")
            await super().forget_flows(family, backends)
            forgot.set()

    forgot = asyncio.Event()
    ground = Forgetful("n1")
    async with node(tmp_path, ground, "UDP") as n1:
        await n1.backends("10.1.0.2")
        ground.forgotten.clear()
        ground.fails.set()
        forgot.clear()
        n1.serve_from("10.1.0.3")
        await asyncio.wait_for(forgot.wait(), 10)
        assert ground.forgotten == answered_by("10.1.0.2")
        assert _targets(ground) == ["10.1.0.2"]
