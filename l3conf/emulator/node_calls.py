"""Nodes behind the control socket: which there are, and changes that outlive whoever asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.roster import cluster_of, nodes_to_json
from l3conf.model.topology import NodeSpec

if TYPE_CHECKING:
    from l3conf.emulator.control.server import Connection, Method
    from l3conf.emulator.node_set import NodeSet


@dataclass(frozen=True, slots=True)
class NodeCalls:
    """Methods by name, on the nodes of one lab."""

    nodes: NodeSet

    def methods(self) -> dict[str, Method]:
        """Return what the control server calls."""
        return {"nodes": self.current, "node.add": self.add, "node.remove": self.remove}

    async def current(self, _connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
        """Answer which nodes the clusters have now (``model.roster.nodes_to_json``)."""
        return nodes_to_json(self.nodes.fabric.topology)

    async def add(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Add a node for good; answer its name, its addresses and its pods' slices."""
        wanted = NodeSpec(name=params.get("name") or "", gateway=bool(params.get("gateway")))
        node = await self.nodes.add(params["cluster"], wanted)
        return self._described(params["cluster"], node)

    async def remove(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Remove a node for good; answer what it had."""
        node = await self.nodes.remove(params["cluster"], params["node"])
        return self._described(params["cluster"], node)

    def _described(self, cluster: str, node: NodeSpec) -> dict[str, Any]:
        spec, number = cluster_of(self.nodes.fabric.topology, cluster), node.number or 0
        return {
            "cluster": cluster,
            "node": node.name,
            "gateway": node.gateway,
            "addresses": [str(address) for address in node_addresses(spec, number)],
            "podCIDRs": [str(piece) for piece in pod_ranges(spec, number)],
        }
