"""Nodes that join a running cluster and leave it: the fabric's half and the cluster's half of each, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.fabric.plan import node_key
from l3conf.errors import LabError
from l3conf.model.faults import NodeAdded, NodeChange
from l3conf.model.roster import cluster_of, spec_of, with_node, without_node
from l3conf.model.topology import NodeSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from l3conf.emulator.cluster import EmulatedCluster
    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.node_power import NodePower
    from l3conf.model.topology import Topology
    from l3conf.probes.prober import Prober


@dataclass(frozen=True, slots=True)
class NodeSet:
    """The nodes of one lab's clusters."""

    fabric: Fabric
    clusters: Mapping[str, EmulatedCluster]
    prober: Prober
    power: NodePower
    _departed: dict[str, dict[str, NodeSpec]] = field(default_factory=dict)
    """Nodes that have gone, by cluster and name."""
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One change at a time: each rests on the topology that the one before has left."""

    async def begin(self, change: NodeChange) -> Callable[[], Awaitable[None]]:
        """Make a change; return what undoes it. ``UserError`` if it cannot be made."""
        if isinstance(change, NodeAdded):
            node = await self.add(change.cluster, NodeSpec(name=change.node, gateway=change.gateway))
            standing: list[Callable[[], Awaitable[object]]] = [lambda: self.remove(change.cluster, node.name)]
        else:
            node = await self.remove(change.cluster, change.node)
            standing = [lambda: self.add(change.cluster, node)]

        async def end() -> None:
            if standing:  # ending twice is ending once
                await standing.pop()()

        return end

    async def add(self, cluster: str, node: NodeSpec) -> NodeSpec:
        """Add a node, by what is told of it; return it as it is now. It registers itself and becomes Ready soon.

        One that was removed comes back with its addresses and pod slice. ``UserError`` if there is no place for it.
        """
        async with self._changing:
            before, departed = self.fabric.topology, self._departed.setdefault(cluster, {})
            numbers = {name: one.number or 0 for name, one in departed.items()}
            after = with_node(before, cluster, node, departed=numbers)
            name = next(iter(_names(after, cluster) - _names(before, cluster)))
            place = node_key(cluster, name)
            self.fabric.change_nodes(after)
            try:
                self.clusters[cluster].add_node(cluster_of(after, cluster), name)
                await self.prober.add_place(place, self.fabric.namespace(place).path, serve=True)
            except BaseException as error:
                await self._take_away(before, cluster, name)
                if isinstance(error, StatusError):
                    raise LabError(f"the API refuses the Node: {error}", where=place) from None
                raise
            departed.pop(name, None)
            return spec_of(cluster_of(after, cluster), name)

    async def remove(self, cluster: str, name: str) -> NodeSpec:
        """Power a node off, delete its Node object and its wiring; return what it was. ``UserError`` if it cannot be.

        Whoever wants its pods elsewhere before drains it by the API, as operators do.
        """
        async with self._changing:
            before = self.fabric.topology
            after = without_node(before, cluster, name)
            self.power.check(cluster, name)
            number = cluster_of(before, cluster).number_of(name)
            gone = replace(spec_of(cluster_of(before, cluster), name), number=number)
            self._departed.setdefault(cluster, {})[name] = gone
            await self._take_away(after, cluster, name)
            return gone

    async def _take_away(self, after: Topology, cluster: str, name: str) -> None:
        self.fabric.unplug_node(cluster, name)  # first: whatever dies after that, nobody hears of it
        await self.clusters[cluster].remove_node(cluster_of(after, cluster), name)
        await self.prober.remove_place(node_key(cluster, name))
        self.fabric.change_nodes(after)


def _names(topology: Topology, cluster: str) -> set[str]:
    return {node.name for node in cluster_of(topology, cluster).nodes}
