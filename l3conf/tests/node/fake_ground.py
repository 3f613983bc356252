"""A NodeGround without a kernel: processes are futures that the test ends."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from l3conf.emulator.node_runtime import PodNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.kernel.flows import Backends
    from l3conf.emulator.node_runtime import ContainerSpec
    from l3conf.model.topology import IPAddress, IPFamily, IPNetwork

_pids = itertools.count(100)


@dataclass(eq=False)
class FakeProcess:
    """Ends when told, or at the first signal unless it is stubborn."""

    spec: ContainerSpec | None = None
    stubborn: bool = False
    pid: int = field(default_factory=lambda: next(_pids))
    signals: list[int] = field(default_factory=list)
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    def signal(self, number: int) -> None:
        if self.ended.done():
            return
        self.signals.append(number)
        if number == 9 or not self.stubborn:
            self.end(128 + number)

    def end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


class FakeGround:
    """Counts what it is asked for; ``starting`` decides how a program begins."""

    def __init__(self, name: str = "n1", index: int = 0) -> None:
        self.name = name
        self.addresses: tuple[IPAddress, ...] = (IPv4Address("172.16.1.10") + index,)
        self.pod_ranges: tuple[IPNetwork, ...] = (IPv4Network((int(IPv4Address("10.1.0.0")) + 256 * index, 24)),)
        self.pods: dict[str, PodNetwork] = {}
        self.processes: list[FakeProcess] = []
        self.executed: list[tuple[str, ...]] = []
        self.rulesets: list[str] = []
        self.pod_rulesets: dict[str, str] = {}
        self.loaded = asyncio.Event()
        """Set by every ruleset; whoever waits clears it."""
        self.forgotten: list[Backends] = []
        self.starting: Callable[[ContainerSpec], FakeProcess] = FakeProcess
        self.executing: Callable[[ContainerSpec], int] = lambda _: 0
        self.connecting: Callable[[IPAddress, int], None] = lambda _address, _port: None
        self._next = itertools.count(2)

    async def add_pod(self, pod_uid: str, pod_name: str, *, host_network: bool) -> PodNetwork:
        del pod_name
        if pod_uid not in self.pods:
            own = self.pod_ranges[0].network_address + next(self._next)
            addresses = self.addresses if host_network else (own,)
            self.pods[pod_uid] = PodNetwork(
                pod_uid=pod_uid, namespace_path="/proc/self/ns/net", addresses=addresses, host_network=host_network
            )
        return self.pods[pod_uid]

    async def remove_pod(self, pod_uid: str) -> None:
        self.pods.pop(pod_uid, None)

    async def start(self, network: PodNetwork, spec: ContainerSpec) -> FakeProcess:
        del network
        process = self.starting(spec)
        self.processes.append(process)
        return process

    async def exec(
        self,
        container: object,
        network: PodNetwork,
        spec: ContainerSpec,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        tty: bool = False,
    ) -> FakeProcess:
        del container, network, stdin, stdout, stderr, tty
        self.executed.append(spec.argv)
        process = FakeProcess(spec)
        process.end(self.executing(spec))
        return process

    async def load_pod_ruleset(self, pod_uid: str, ruleset: str) -> None:
        self.pod_rulesets[pod_uid] = ruleset
        self.loaded.set()

    async def open_connection(
        self, network: PodNetwork | None, host: IPAddress, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        del network
        self.connecting(host, port)
        raise ConnectionRefusedError(f"{host}:{port} refuses")

    async def load_ruleset(self, ruleset: str) -> None:
        self.rulesets.append(ruleset)
        self.loaded.set()

    async def forget_flows(self, family: IPFamily, backends: Backends) -> None:
        del family
        self.forgotten.append(backends)


class FakeWorkload:
    """A built-in workload whose processes the test can end."""

    def __init__(self) -> None:
        self.started: dict[str, FakeProcess] = {}

    async def start(self, place: str, pod: Object, network: PodNetwork, log: Callable[[str], None]) -> FakeProcess:
        del pod, network
        log(f"serving at {place}")
        process = self.started[place] = FakeProcess(pid=0)
        return process
