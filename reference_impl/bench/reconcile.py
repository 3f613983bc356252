"""What it costs an agent to find out that nothing changed: ``python -m reference_impl.bench.reconcile [PREFIXES]``.

Real agents with a real kernel in namespaces of their own; the APIs are in memory. Ten members announce the prefixes
together. After the first step has programmed them, further steps must find nothing to do: none may write. Before each
of the steps that count, somebody else changes an address, so that the agent has to read its whole state again; at rest,
where the kernel reports nothing, a step costs what is given as ``at_rest_ms``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from reference_impl.agents import gateway, route_agent
from reference_impl.agents.settings import BrokerAccess, Settings
from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.mutants import Mutant
from reference_impl.names import API_GROUP, API_VERSION, BROKER_NAMESPACE, CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.object_codec import cluster_spec, endpoint_spec
from reference_impl.protocols.objects import Cluster, Endpoint, cable_name, endpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.drivers.api import Object
    from reference_impl.drivers.kernel import Kernel, KernelError
    from reference_impl.flows import Bindings, Suspects
    from reference_impl.operations import Operation
    from reference_impl.state import Count, Observed

MEMBERS = 10
STEPS = 20
BAR_MS = 50.0
PATIENCE = 60.0
"""Seconds until everything must be programmed."""
NODE, NODE_ADDRESS = "bench-1", "172.31.0.10"
_FABRIC = f"""
ip link add eth0 type veth peer name eth0-far
ip link set eth0-far up
ip address add {NODE_ADDRESS}/24 dev eth0
ip link set eth0 up
ip link add cni0 type bridge
ip address add 10.255.0.1/24 dev cni0
ip link set cni0 up
"""
_FOREIGN_CHANGE = "ip address add 192.0.2.1/32 dev cni0; ip address del 192.0.2.1/32 dev cni0"
_OWN = Cluster(
    cluster_id="bench", pod_cidrs=(ip_network("10.255.0.0/16"),), service_cidrs=(ip_network("10.254.0.0/16"),)
)


class Agent(Protocol):
    """What both agents are here."""

    async def run(self) -> None:
        """Run until cancelled."""

    async def reconcile(self) -> None:
        """Make one step."""


@dataclass
class CountingKernel:
    """A kernel that counts the steps it is asked to carry out."""

    kernel: Kernel
    written: int = 0
    failures: list[str] = field(default_factory=list)

    def observe(self) -> Observed:
        """Read the kernel."""
        return self.kernel.observe()

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError, ...]:
        """Carry out steps, and count them."""
        steps = tuple(operations)
        failures = self.kernel.apply(steps)
        self.written += len(steps)
        self.failures += [str(failure) for failure in failures]
        return failures

    def forget(self, bindings: Bindings, suspects: Suspects | None) -> None:
        """End flows."""
        self.kernel.forget(bindings, suspects)

    def counts(self) -> Mapping[str, Count]:
        """Read what has passed."""
        return self.kernel.counts()

    def close(self) -> None:
        """Close the kernel."""
        self.kernel.close()


async def measure(prefixes: int) -> dict[str, Any]:
    """Program ``prefixes`` with both agents, one after the other, and time the steps that change nothing."""
    api, broker = FakeAPI(), FakeAPI()
    await _fill(api, broker, prefixes)
    settings = Settings(node=NODE, namespace=MEMBER_NAMESPACE, cluster=_OWN)
    access = BrokerAccess(server="", namespace=BROKER_NAMESPACE, certificate_authority=Path("ca"), token=Path("token"))
    echo, mutant, drivers = FakeEcho(), Mutant(), DriverSet((VXLANCables(),))
    kernels = {
        name: CountingKernel(LinuxKernel(agent.OWNERSHIP))
        for name, agent in (("gateway", gateway), ("route agent", route_agent))
    }
    agents: dict[str, Agent] = {
        "gateway": gateway.GatewayAgent(
            settings,
            access,
            drivers,
            member=api,
            broker=broker,
            kernel=kernels["gateway"],
            echo=echo,
            mutant=mutant,
        ),
        "route agent": route_agent.RouteAgent(settings, api, kernels["route agent"], echo, mutant),
    }
    results = [await _measure(name, agents[name], kernels[name], prefixes) for name in agents]
    echo.close()
    return {"benchmark": "reconcile", "prefixes": prefixes, "members": MEMBERS, "results": results}


async def _measure(name: str, agent: Agent, kernel: CountingKernel, prefixes: int) -> dict[str, Any]:
    running = asyncio.ensure_future(agent.run())
    try:
        programmed = await _until_programmed(kernel, prefixes, running)
        before = kernel.written
        milliseconds = [await _step(agent, _FOREIGN_CHANGE) for _ in range(STEPS)]
        at_rest = [await _step(agent, "") for _ in range(STEPS)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return {
        "agent": name,
        "programming_seconds": round(programmed, 2),
        "unchanged_ms": {"median": round(median(milliseconds), 1), "worst": round(max(milliseconds), 1)},
        "at_rest_ms": {"median": round(median(at_rest), 1), "worst": round(max(at_rest), 1)},
        "kernel_writes": kernel.written - before,
        "failures": kernel.failures[:3],
        "bar_ms": BAR_MS,
        "holds": median(milliseconds) <= BAR_MS and kernel.written == before and not kernel.failures,
    }


async def _step(agent: Agent, before: str) -> float:
    """Return the milliseconds of one step; what is done before it does not count."""
    if before:
        await asyncio.to_thread(subprocess.run, ["/bin/sh", "-ec", before], check=True)
    began = time.perf_counter()
    await agent.reconcile()
    return (time.perf_counter() - began) * 1e3


async def _until_programmed(kernel: CountingKernel, prefixes: int, running: asyncio.Future[None]) -> float:
    """Wait until everything was written and a look found nothing more to write."""
    began, quiet = time.monotonic(), 0
    last = -1
    while quiet < STEPS:
        if running.done():
            running.result()
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{kernel.written} steps after {PATIENCE:g} s and still not done: {kernel.failures[:3]}")
        await asyncio.sleep(0.1)
        quiet = quiet + 1 if kernel.written == last and kernel.written > prefixes else 0
        last = kernel.written
    return time.monotonic() - began - quiet * 0.1


async def _fill(api: FakeAPI, broker: FakeAPI, prefixes: int) -> None:
    """Put the node into the member's API and the other members' objects into the broker's."""
    node = {
        "metadata": {"name": NODE},
        "spec": {"podCIDRs": ["10.255.0.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}]},
    }
    await api.create(Resource.NODE, node)
    for number in range(MEMBERS):
        cluster = Cluster(
            cluster_id=f"member-{number}",
            service_cidrs=tuple(ip_network(f"100.{64 + number}.{index}.0/24") for index in range(prefixes // 20)),
            pod_cidrs=tuple(ip_network(f"10.{number}.{index}.0/24") for index in range(prefixes // 20)),
        )
        underlay = ip_address(f"172.31.1.{number + 1}")
        endpoint = Endpoint(
            cluster_id=cluster.cluster_id,
            cable_name=cable_name(cluster.cluster_id, underlay),
            hostname="gateway",
            subnets=cluster.prefixes,
            private_ip=underlay,
            health_check_ip=ip_address(f"10.{number}.0.1"),
        )
        await broker.create(Resource.CLUSTER, _object("Cluster", cluster, cluster.cluster_id, cluster_spec(cluster)))
        name = endpoint_name(cluster.cluster_id, underlay)
        await broker.create(Resource.ENDPOINT, _object("Endpoint", cluster, name, endpoint_spec(endpoint)))


def _object(kind: str, owner: Cluster, name: str, spec: Object) -> Object:
    labels = {CLUSTER_ID_LABEL: owner.cluster_id}
    metadata = {"name": name, "namespace": BROKER_NAMESPACE, "labels": labels}
    return {"apiVersion": f"{API_GROUP}/{API_VERSION}", "kind": kind, "metadata": metadata, "spec": spec}


def main(arguments: list[str]) -> int:
    """Run in namespaces of our own, then measure; exit code 1 if the bar is missed."""
    if arguments[:1] != ["--inside"]:
        prefixes = arguments[0] if arguments else "1000"
        unshare = shutil.which("unshare") or "unshare"
        inside = [sys.executable, "-m", __spec__.name, "--inside", prefixes]
        return subprocess.run(
            [unshare, "--user", "--map-root-user", "--net", "--mount", *inside], check=False
        ).returncode
    logging.basicConfig(level=logging.WARNING)
    subprocess.run(["/bin/sh", "-ec", _FABRIC], check=True)
    answer = asyncio.run(measure(int(arguments[1])))
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if all(result["holds"] for result in answer["results"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
