"""Nodes that get other addresses while they run: first the network has it, then the kubelet says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from l3conf.emulator.cluster import EmulatedCluster
    from l3conf.emulator.fabric.inflict import Faults
    from l3conf.model.faults import NodeAddressChange
    from l3conf.model.topology import IPAddress


@dataclass(frozen=True, slots=True)
class NodeMoves:
    """The moves of one lab's nodes."""

    faults: Faults
    clusters: Mapping[str, EmulatedCluster]

    async def begin(self, fault: NodeAddressChange) -> Callable[[], Awaitable[None]]:
        """Move a node; return what moves it back. ``LabError`` if it cannot be."""
        move_back = await self.faults.begin(fault)
        cluster = self.clusters[fault.cluster]
        before = next(node.addresses for node in cluster.nodes if node.name == fault.node)
        moved = tuple(fault.address if each.version == fault.address.version else each for each in before)
        self._tell(cluster, fault.node, moved)

        async def undo() -> None:
            await move_back()
            self._tell(cluster, fault.node, before)

        return undo

    @staticmethod
    def _tell(cluster: EmulatedCluster, node: str, addresses: tuple[IPAddress, ...]) -> None:
        for kubelet in cluster.kubelets:
            if kubelet.node == node:
                kubelet.moved(addresses)
