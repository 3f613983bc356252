"""What makes a fabric's machines, bridges and cables: the kernel, asked directly, or another network emulator.

Everything above (addresses, routes, rules, pods, faults, captures) needs namespaces and links with the names and
indices of the plan, and does not ask who made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from l3conf.emulator.fabric.creation import new_namespace
from l3conf.emulator.fabric.encode import links, plug
from l3conf.emulator.kernel.links import delete_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.elements import Cable, FabricPlan, NamespacePlan
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.emulator.kernel.netlink import RouteSocket


class Hardware(Protocol):
    """Makes what a plan's namespaces and cables stand for. Errors are ``LabError`` or ``NetlinkError``."""

    def arranged(self, plan: FabricPlan) -> FabricPlan:
        """Return a plan as it is made of this hardware: the same places and ways, perhaps of other parts. Pure."""

    def namespace(self, plan: NamespacePlan) -> NetworkNamespace:
        """Make a machine without links, in place of one of the same key; leave the calling thread in its namespace.

        For use within ``kernel.namespaces.away``. The caller owns the descriptor.
        """

    def wire(self, plan: NamespacePlan, route: RouteSocket, namespaces: Mapping[str, NetworkNamespace]) -> None:
        """Make the bridges and tunnels of a machine, and plug in its cables, whose far ends have namespaces already.

        ``route`` is the machine's own.
        """

    def plug(self, switch: str, cable: Cable, route: RouteSocket, far: NetworkNamespace) -> None:
        """Plug one more cable in where ``route`` is: in the namespace of the key ``switch``."""

    def unplug(self, switch: str, cable: Cable, route: RouteSocket) -> None:
        """Take a cable away, both ends of it."""

    def discard(self, key: str) -> None:
        """Let go of a machine that nobody needs any more."""

    def close(self) -> None:
        """Let go of everything. Idempotent."""


class KernelHardware:
    """Namespaces and veths that the kernel makes on request, with one send for all links of a namespace."""

    def arranged(self, plan: FabricPlan) -> FabricPlan:
        """Leave a plan as it is: routers have their bridges in themselves."""
        return plan

    def namespace(self, plan: NamespacePlan) -> NetworkNamespace:
        """Make an empty namespace."""
        return new_namespace(plan)

    def wire(self, plan: NamespacePlan, route: RouteSocket, namespaces: Mapping[str, NetworkNamespace]) -> None:
        """Make all links of a namespace in one send."""
        route.execute(links(plan, namespaces))

    def plug(self, switch: str, cable: Cable, route: RouteSocket, far: NetworkNamespace) -> None:  # noqa: ARG002 - Hardware
        """Make a veth in its bridge."""
        route.execute([plug(cable, far)])

    def unplug(self, switch: str, cable: Cable, route: RouteSocket) -> None:  # noqa: ARG002 - Hardware
        """Delete a veth."""
        route.execute([delete_link(cable.port_index)])

    def discard(self, key: str) -> None:
        """Do nothing: the kernel removes a namespace that nobody holds."""

    def close(self) -> None:
        """Do nothing, likewise."""
