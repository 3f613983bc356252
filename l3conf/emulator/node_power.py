"""Nodes that lose power and boot again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.plan import node_key
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from l3conf.emulator.cluster import EmulatedCluster
    from l3conf.emulator.fabric.build import Fabric
    from l3conf.model.faults import NodeCrash
    from l3conf.probes.prober import Prober


@dataclass(frozen=True, slots=True)
class NodePower:
    """The power of one lab's nodes."""

    fabric: Fabric
    clusters: Mapping[str, EmulatedCluster]
    prober: Prober
    _off: set[str] = field(default_factory=set)

    def check(self, cluster: str, node: str) -> None:
        """Raise ``LabError`` if there is no such node, or it has no power."""
        place = node_key(cluster, node)
        self.fabric.namespace(place)  # names what there is, if the node is unknown
        if place in self._off:
            raise LabError("this node has no power already", where=place, remedy="end that first")

    async def begin(self, fault: NodeCrash) -> Callable[[], Awaitable[None]]:
        """Take a node's power; return what boots it. ``LabError`` if there is no such node, or it is off already."""
        self.check(fault.cluster, fault.node)
        place = node_key(fault.cluster, fault.node)
        self._off.add(place)
        self.fabric.unplug_node(fault.cluster, fault.node)  # first: whatever dies after that, nobody hears of it
        await self.clusters[fault.cluster].power_off(fault.node)
        await self.prober.remove_place(place)

        async def boot() -> None:
            if place not in self._off:  # ending twice is ending once
                return
            self._off.discard(place)
            self.fabric.boot_node(fault.cluster, fault.node)
            await self.prober.add_place(place, self.fabric.namespace(place).path, serve=True)
            self.clusters[fault.cluster].power_on(fault.node)

        return boot
