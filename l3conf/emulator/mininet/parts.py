"""Mininet's switch and link, with names, indices, sizes and MACs of the plan where Mininet would choose its own."""

from __future__ import annotations

import os
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from mininet.link import Link
from mininet.nodelib import LinuxBridge

from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.errors import LabError

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import NamespacePlan
    from l3conf.emulator.mininet.network import Wire


PROGRAMS = MappingProxyType(
    {"mnexec": "mininet", "brctl": "bridge-utils", "ifconfig": "net-tools", "bash": "bash", "ip": "iproute2"}
)
"""Programs that Mininet runs here, and the Debian packages they are in."""


class MininetNode(Protocol):
    """A host or switch of Mininet: a shell in a network namespace. Mininet has no types of its own."""

    name: str
    pid: int

    def cmd(self, *words: object) -> str:
        """Have the shell run a command; return what it says."""


def namespace_of(node: MininetNode) -> NetworkNamespace:
    """Return the network namespace of a node; the caller closes it."""
    return NetworkNamespace(os.open(f"/proc/{node.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))


def told(node: MininetNode, *argv: object) -> None:
    """Have a node of Mininet run a command that says nothing if it succeeds; ``LabError`` with what it says."""
    command = shlex.join(map(str, argv))
    said = node.cmd(command).strip()
    if said:
        raise LabError(f"Mininet could not do {command}: {said}", where=node.name)


class SegmentSwitch(LinuxBridge):  # type: ignore[misc] # Mininet has no types
    """The switch of a LAN or of the WAN: a Linux bridge in a namespace of its own.

    Mininet's own takes only those links into its bridge that are named after it.
    """

    controlIntf = None  # noqa: N815 - Mininet's name: its switches have none in a namespace, and fail to say so

    def __init__(self, name: str, plan: NamespacePlan, **options: Any) -> None:  # noqa: ANN401 - Mininet's
        (self._bridge,) = plan.bridges
        # OpenFlow's number of the switch, which no Linux bridge uses and Mininet insists on.
        super().__init__(name, dpid="1", **{**options, "inNamespace": True})

    @classmethod
    def setup(cls) -> None:
        """Check nothing: Mininet would look for rules about frames in this process's namespace, not in the switch's."""

    def start(self, _controllers: object) -> None:
        """Make the bridge and take all links into it."""
        told(self, "brctl", "addbr", self._bridge.name)
        told(self, "brctl", "addif", self._bridge.name, *(each.name for each in self.intfList()))
        size = ("mtu", self._bridge.mtu, "address", _colons(self._bridge.mac))
        told(self, "ip", "link", "set", self._bridge.name, *size, "up")

    def attach(self, port: str) -> None:
        """Take one more link into the bridge of a started switch."""
        told(self, "brctl", "addif", self._bridge.name, port)

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: FBT001, FBT002, N803 - Mininet's signature
        """Take the bridge away, and the links if asked to."""
        self.cmd("ip link delete", self._bridge.name)
        super(LinuxBridge, self).stop(deleteIntfs)


class CableLink(Link):  # type: ignore[misc] # Mininet has no types
    """A veth between a switch and a host, made in place."""

    def __init__(self, switch: object, host: object, wire: Wire, **_options: object) -> None:
        """Make it; what Mininet would choose (``_options``: MACs, an interface class) the plan has chosen."""
        self._cable = wire.cable
        super().__init__(
            switch, host, intfName1=wire.cable.port, intfName2=wire.cable.name, port2=wire.host_port, fast=True
        )

    def makeIntfPair(  # noqa: N802 - Mininet's name
        self,
        port: str,
        far: str,
        _port_mac: object,
        _far_mac: object,
        switch: MininetNode,
        host: MininetNode,
        **_options: object,
    ) -> None:
        """Make the pair with one command, from the switch."""
        cable = self._cable
        here = ("name", port, "index", cable.port_index, "mtu", cable.mtu, "numtxqueues", 1, "numrxqueues", 1)
        there = ("name", far, "index", cable.index, "mtu", cable.mtu, "address", _colons(cable.mac))
        ends = (*here, "type", "veth", "peer", *there, "netns", host.pid)
        told(switch, "ip", "link", "add", *ends)


def _colons(mac: bytes) -> str:
    return mac.hex(":")
