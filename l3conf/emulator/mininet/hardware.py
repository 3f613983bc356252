"""Mininet as the hardware of a fabric: its nodes, switches and links, under the fabric's addresses, rules and pods.

Runs in the lab's own namespaces, where it is root and its habits (killing by name, settings of the machine) reach
nobody else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host

from l3conf.emulator.fabric.encode import links
from l3conf.emulator.fabric.switches import with_own_switches
from l3conf.emulator.kernel.namespaces import CLONE_NEWNET, setns
from l3conf.emulator.mininet.network import wire
from l3conf.emulator.mininet.parts import PROGRAMS, CableLink, SegmentSwitch, namespace_of
from l3conf.errors import MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.elements import Cable, FabricPlan, NamespacePlan
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.emulator.kernel.netlink import RouteSocket
    from l3conf.emulator.mininet.parts import MininetNode

_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
"""Where Mininet's programs are; an ordinary user's PATH lacks some."""
_PATIENCE = 10.0
"""Seconds for one namespace of a trial."""


class MininetHardware:
    """One Mininet (``fabric.hardware.Hardware``)."""

    def __init__(self) -> None:
        """Begin with an empty network. ``MissingPrerequisiteError`` where mnexec can make no namespace."""
        check_mininet()
        setLogLevel("error")
        self._network: Any = Mininet(host=Host, switch=SegmentSwitch, link=CableLink, controller=None, build=False)
        self._links: dict[tuple[str, str], Any] = {}

    def arranged(self, plan: FabricPlan) -> FabricPlan:
        """Make every LAN and the WAN a switch."""
        return with_own_switches(plan)

    def namespace(self, plan: NamespacePlan) -> NetworkNamespace:
        """Add a host or a switch."""
        if plan.key in self._network:
            self.discard(plan.key)
        namespace = namespace_of(self._add(plan))
        setns(namespace.fd, CLONE_NEWNET)
        return namespace

    def _add(self, plan: NamespacePlan) -> MininetNode:
        network = self._network
        try:
            node: MininetNode = network.addSwitch(plan.key, plan=plan) if plan.is_switch else network.addHost(plan.key)
        except OSError as error:
            if error.errno is not None:
                raise
            # Python's own, with a sentence instead of a number: every node of Mininet has a terminal.
            remedy = "raise the limit of open files (ulimit -n) or of terminals (kernel.pty.max)"
            raise MissingPrerequisiteError(f"Mininet is {error}", where=plan.key, remedy=remedy) from error
        return node

    def wire(self, plan: NamespacePlan, route: RouteSocket, namespaces: Mapping[str, NetworkNamespace]) -> None:
        """Link a switch and start it; what else a host has (its network plugin's) is none of Mininet's."""
        if plan.is_switch:
            for cable in plan.cables:
                self._link(plan.key, cable)
            self._network[plan.key].start([])
        else:
            route.execute(links(plan, namespaces))

    def plug(self, switch: str, cable: Cable, route: RouteSocket, far: NetworkNamespace) -> None:  # noqa: ARG002 - Hardware
        """Link a host to a switch that runs."""
        self._link(switch, cable)
        self._network[switch].attach(cable.port)

    def unplug(self, switch: str, cable: Cable, route: RouteSocket) -> None:  # noqa: ARG002 - Hardware
        """Delete a link."""
        self._network.delLink(self._links.pop((switch, cable.port)))

    def discard(self, key: str) -> None:
        """Delete a host: its shell ends, and its namespace when nobody else holds it."""
        self._network.delHost(self._network[key])

    def close(self) -> None:
        """End all shells; with their namespaces the links go too. Idempotent."""
        for node in self._network.values():
            node.terminate()

    def _link(self, switch: str, cable: Cable) -> None:
        made = wire(switch, cable)
        self._links[switch, cable.port] = self._network.addLink(made.switch, made.host, wire=made)


def check_mininet() -> None:
    """Let Mininet find its programs, and see that it can work here. ``MissingPrerequisiteError`` if it cannot.

    It would end this process, or wait for ever.
    """
    known = [directory for directory in os.environ.get("PATH", "").split(os.pathsep) if directory]
    more = [directory for directory in _SYSTEM_DIRECTORIES if directory not in known]
    os.environ["PATH"] = os.pathsep.join([*known, *more])
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            remedy = f"install it with: apt-get install {package}"
            raise MissingPrerequisiteError(f"there is no {program} on this host", where="Mininet", remedy=remedy)
    trial = ["mnexec", "-cdn", "true"]
    done = subprocess.run(trial, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        what = f"mnexec can make no namespace here: {done.stderr.strip() or done.returncode}"
        raise MissingPrerequisiteError(what, where="Mininet", remedy="it needs to mount sysfs in a user namespace")
