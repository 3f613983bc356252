"""A cluster set in memory: fake APIs, kernels and echoes, real agents."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.agents.cable_drivers import load_drivers
from reference_impl.agents.gateway import GatewayAgent
from reference_impl.agents.route_agent import RouteAgent
from reference_impl.agents.settings import BrokerAccess, Settings
from reference_impl.drivers.api import Resource
from reference_impl.drivers.discovery_socket import UDPDiscoverySocket
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.mutants import Mutant
from reference_impl.names import BROKER_NAMESPACE, GATEWAY_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.objects import Cluster
from reference_impl.state import InterfaceAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from reference_impl.drivers.api import Object
    from reference_impl.drivers.discovery_socket import DiscoverySockets
    from reference_impl.drivers.fake_echo import FakeEcho
    from reference_impl.drivers.key_file import KeyPair
    from reference_impl.planner.cable import CableDriver

PATIENCE = 20.0


@dataclass
class FakeCluster:
    """One member with its API; agents are started on top."""

    number: int
    name: str
    api: FakeAPI = field(default_factory=FakeAPI)
    driver: CableDriver = field(default_factory=VXLANCables)
    names: tuple[str, ...] = ()
    """Cable drivers as its settings would name them, instead of ``driver``."""
    key: KeyPair | None = None
    sockets: DiscoverySockets = UDPDiscoverySocket
    mailbox: str = ""
    """Its namespace at the broker, if it has one of its own."""

    @property
    def drivers(self) -> DriverSet:
        return load_drivers(self.names) if self.names else DriverSet((self.driver,))

    @property
    def cluster(self) -> Cluster:
        return Cluster(
            cluster_id=self.name,
            pod_cidrs=(ip_network(f"10.{self.number}.0.0/16"),),
            service_cidrs=(ip_network(f"10.10{self.number}.0.0/16"),),
        )

    def settings(self, node: str) -> Settings:
        return Settings(
            node=node,
            namespace=MEMBER_NAMESPACE,
            cluster=self.cluster,
            drivers=tuple(one.backend for one in self.drivers.drivers),
        )

    def kernel(self, index: int) -> FakeKernel:
        return FakeKernel(
            [
                InterfaceAddress(device="eth0", address=ip_address(f"172.16.{self.number}.1{index}"), mtu=1500),
                InterfaceAddress(device="cni0", address=ip_address(f"10.{self.number}.{index}.1"), mtu=1500),
            ]
        )

    async def add_nodes(self, count: int, *, gateways: int = 1) -> None:
        for index in range(count):
            labels = {GATEWAY_LABEL: "true"} if index < gateways else {}
            node: Object = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": f"{self.name}-{index}", "labels": labels},
                "spec": {"podCIDRs": [f"10.{self.number}.{index}.0/24"]},
                "status": {"addresses": [{"type": "InternalIP", "address": f"172.16.{self.number}.1{index}"}]},
            }
            await self.api.create(Resource.NODE, node)

    def gateway(
        self, index: int, broker: FakeAPI, kernel: FakeKernel, echo: FakeEcho, *, sentry: FakeEcho | None = None
    ) -> GatewayAgent:
        access = BrokerAccess(
            server="", namespace=self.mailbox or BROKER_NAMESPACE, certificate_authority=Path("ca"), token=Path("token")
        )
        return GatewayAgent(
            self.settings(f"{self.name}-{index}"),
            access,
            self.drivers,
            member=self.api,
            broker=broker,
            kernel=kernel,
            echo=echo,
            mutant=Mutant(),
            key=self.key,
            sockets=self.sockets,
            sentry=sentry,
        )

    def route_agent(self, index: int, kernel: FakeKernel, echo: FakeEcho) -> RouteAgent:
        return RouteAgent(self.settings(f"{self.name}-{index}"), self.api, kernel, echo, Mutant())

    async def gateway_status(self, index: int = 0) -> Object:
        status: Object = (await self.api.get(Resource.GATEWAY, f"{self.name}-{index}", MEMBER_NAMESPACE))["status"]
        return status


@asynccontextmanager
async def running(*programs: Coroutine[None, None, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run agents in the background until the context ends; one that failed fails the test."""
    tasks = [asyncio.ensure_future(program) for program in programs]
    try:
        yield tasks
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(condition: Callable[[], Coroutine[None, None, bool]], what: str) -> None:
    """Wait until a condition holds; ``AssertionError`` names it if it does not in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110 - fakes change without an event of their own
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE} s: {what}") from None
