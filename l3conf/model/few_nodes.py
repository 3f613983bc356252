"""A cluster set with no more nodes than its shape needs. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec, NodeSpec, Topology


def with_few_nodes(topology: Topology) -> Topology:
    """Return the topology with all gateway nodes and the first worker of each cluster.

    Every placement of a pod (on a gateway or not, at either end) is still there.
    """
    return replace(topology, clusters=tuple(replace(one, nodes=_few(one)) for one in topology.clusters))


def _few(cluster: ClusterSpec) -> tuple[NodeSpec, ...]:
    return tuple(node for node in cluster.nodes if node.gateway or node in cluster.worker_nodes[:1])
