"""Two sites whose gateways lay cables with a key and a process of their own: what tests of such drivers share."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.agents import gateway, route_agent
from reference_impl.drivers.key_file import KeyPair
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.names import PUBLIC_KEY
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.lanes import sessions_of
from reference_impl.tests.kernel.cluster_set import build, converge, endpoint_of, plan_of_node
from reference_impl.tests.kernel.sandbox import _unshare, shell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.planner.cable import CableDriver
    from reference_impl.state import KernelState, Observed
    from reference_impl.tests.kernel.cluster_set import Site
    from reference_impl.tests.kernel.sandbox import Host

_NEW_NS = 0x00020000
KEYS: Mapping[int, KeyPair] = {number: KeyPair(bytes([number]) * 32) for number in (1, 2)}
"""By number of the site."""
MARKER = b"l3-clear-text-marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """One cable driver with its process."""

    driver: Callable[[str], CableDriver]
    """Makes it, given the node's public key."""
    directory: str
    """Where process and agent both see the node's own directory."""
    process: Callable[[Host], None]
    """Runs on a gateway until the end, or until it finds that the kernel needs none."""
    is_ready: Callable[[Host], object]

    def started(self) -> tuple[Site, Site, Host]:
        """Build two sites with the process on each gateway; nothing is connected."""
        east, west, router = build()
        shell(f"mount -t tmpfs tmpfs /run; mkdir -p {self.directory}")
        for site in (east, west):
            node = site.nodes[0]
            shell(f"mkdir -p /run/{node.name}")
            node.background(partial(self.process, node))
            wait_for(partial(self.is_ready, node))
        return east, west, router

    def enter(self, node: Host) -> None:
        """Show the node's own directory where an agent expects it; in a child only."""
        _unshare(_NEW_NS)
        shell(f"mount --bind /run/{node.name} {self.directory}")

    def inside(
        self, site: Site, ask: Callable[[LinuxKernel], str], key: KeyPair | None = None, *, index: int = 0
    ) -> str:
        """Return what is found out on a gateway, as an agent that has just started would. ``index``: the node's."""

        def run() -> str:
            self.enter(site.nodes[index])
            kernel = LinuxKernel(gateway.OWNERSHIP, key or KEYS[site.number])
            answer = ask(kernel)
            kernel.close()
            return answer

        return site.nodes[index].run(run)

    def program(
        self, site: Site, plan: Callable[[Observed], KernelState], key: KeyPair | None = None, *, index: int = 0
    ) -> str:
        """Bring a gateway to a plan; return steps, failures after them."""

        def converge_once(kernel: LinuxKernel) -> str:
            observed = kernel.observe()
            steps = diff(plan(observed), observed)
            failures = kernel.apply(steps)
            return "\n".join([*map(str, steps), *(f"FAILED {failure}" for failure in failures)])

        return self.inside(site, converge_once, key, index=index)

    def cables(
        self, site: Site, other: Site, *, keys: Mapping[int, KeyPair] = KEYS, index: int = 0, **changes: object
    ) -> Callable[[Observed], KernelState]:
        """Return the plan of a gateway, the node of that index; ``changes``: of the other's Endpoint."""
        driver = self.driver(keys[site.number].public)
        parameters = frozenset({(PUBLIC_KEY, keys[other.number].public)})
        peer = endpoint_of(other, parameters=parameters, backend=driver.backend, **changes)
        underlays = [node.underlay for node in site.as_nodes()]
        return lambda observed: plan_cables(
            GatewayFacts(
                own=site.cluster,
                underlay=underlays[index],
                peers=(peer,),
                addresses=observed.addresses,
                siblings=(underlays[0],) if index else (),
                sessions=sessions_of(observed),
            ),
            DriverSet((driver,)),
        )

    def plan_nodes(self, site: Site, other: Site) -> None:
        """Program all nodes of a site for the other, without cables."""
        for node, host in zip(site.as_nodes(), site.nodes, strict=True):
            converge(host, route_agent.OWNERSHIP, partial(plan_of_node, site, other, node, driver=self.driver("")))

    def connect(self, site: Site, other: Site) -> None:
        """Program all nodes of a site for the other, as its agents would."""
        self.plan_nodes(site, other)
        assert "FAILED" not in self.program(site, self.cables(site, other))

    def connected(self) -> tuple[Site, Site, Host]:
        """Build two sites and connect them with each other."""
        east, west, router = self.started()
        self.connect(east, west)
        self.connect(west, east)
        return east, west, router


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def datagrams(pod: Host) -> int:
    """Return how many datagrams a pod has received."""
    snmp = [line.split() for line in pod.shell("cat /proc/net/snmp").splitlines() if line[:4] == "Udp:"]
    return int(snmp[1][snmp[0].index("InDatagrams")])


def listening(router: Host, device: str, path: str = "/run/seen") -> Path:
    """Have a device's packets written into a file from now on."""
    seen = Path(path)
    router.background(partial(_listen, device, str(seen)))
    wait_for(seen.exists)
    return seen


def _listen(device: str, path: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap, Path(path).open("wb", 0) as file:
        tap.bind((device, 0))
        while True:
            file.write(tap.recv(65536))
