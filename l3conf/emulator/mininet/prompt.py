"""Cluster sets at Mininet's own prompt, where no lab is: hosts and switches that configure themselves.

Nodes are machines with their network plugin's routes and filters, but without pods: those are the lab's.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from mininet.cli import CLI
from mininet.node import Host
from mininet.topo import Topo

from l3conf.emulator.fabric.elements import UPLINK
from l3conf.emulator.fabric.encode import configuration, links
from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.emulator.fabric.switches import with_own_switches
from l3conf.emulator.fabric.sysctls import SysctlWriter, sysctls_of
from l3conf.emulator.ground.isolate import enter_namespaces
from l3conf.emulator.kernel import nftables
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.emulator.kernel.syscalls import MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC, mount, prctl_pdeathsig
from l3conf.emulator.mininet.network import network_of
from l3conf.emulator.mininet.parts import CableLink, SegmentSwitch, namespace_of

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import NamespacePlan
    from l3conf.emulator.mininet.parts import MininetNode
    from l3conf.model.topology import Topology


class ClusterSetCLI(CLI):  # type: ignore[misc] # Mininet has no types
    """Mininet's prompt, which takes places for names: ``east@east-1 ping west@west-1``."""

    identchars = f"{CLI.identchars}@:-"


class ClusterSetTopo(Topo):  # type: ignore[misc] # likewise
    """A cluster set as ``mn`` builds it."""

    def build(self, topology: Topology) -> None:
        """Name the parts; Mininet makes them."""
        network = network_of(with_own_switches(plan_fabric(topology)))
        for plan in network.hosts:
            self.addHost(plan.key, cls=PlannedHost, plan=plan)
        for plan in network.switches:
            self.addSwitch(plan.key, cls=PlannedSwitch, plan=plan)
        for wire in network.wires:
            self.addLink(wire.switch, wire.host, port2=wire.host_port, cls=CableLink, wire=wire)


class PlannedHost(Host):  # type: ignore[misc] # likewise
    """A node, router or other host, as planned."""

    def __init__(self, name: str, plan: NamespacePlan, **options: Any) -> None:  # noqa: ANN401 - Mininet's
        self._plan = plan
        super().__init__(name, **options)
        _settle(self, plan)

    def config(self, **_options: object) -> dict[str, object]:
        """Address, route and filter; instead of what Mininet would give every host."""
        with namespace_of(self) as namespace:
            with RouteSocket(namespace) as route:
                route.execute([*links(self._plan, {}), *configuration(self._plan)])
            if self._plan.rules:
                nftables.load_ruleset(namespace, self._plan.rules)
        self._tell_addresses()
        return {}

    def _tell_addresses(self) -> None:
        """Let Mininet know the addresses that ``dump`` shows and ``pingall`` asks."""
        for port, interface in self.intfs.items():
            own = [each.interface for each in self._plan.addresses if each.link == port + UPLINK]
            if own:
                interface.ip, interface.prefixLen = str(own[0].ip), own[0].network.prefixlen


class PlannedSwitch(SegmentSwitch):
    """The switch of a LAN or of the WAN, with its filters."""

    def __init__(self, name: str, plan: NamespacePlan, **options: Any) -> None:  # noqa: ANN401 - Mininet's
        self._plan = plan
        super().__init__(name, plan, **options)
        _settle(self, plan)

    def start(self, controllers: object) -> None:
        """Start, and filter."""
        super().start(controllers)
        if self._plan.rules:
            with namespace_of(self) as namespace:
                nftables.load_ruleset(namespace, self._plan.rules)


def _settle(node: MininetNode, plan: NamespacePlan) -> None:
    """Write a new namespace's settings, before there is any link that would inherit others."""
    with namespace_of(node) as namespace, namespace.entered():
        SysctlWriter().write(sysctls_of(plan))


def move_into_namespaces() -> None:
    """Go on in a child that is root of namespaces of its own, and pid 1 there; this process ends as it does.

    Mininet needs to be root, changes settings of the machine and ends processes by name: there it reaches nobody.
    For single-threaded processes. ``MissingPrerequisiteError`` if this user can make no user namespace.
    """
    enter_namespaces()
    child = os.fork()
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who is at the prompt
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    prctl_pdeathsig(signal.SIGKILL)
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV)
