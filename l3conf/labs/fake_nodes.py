"""Nodes that come to the clusters of a fake lab, and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.model.faults import NodeAdded, NodeRemoved
from l3conf.model.roster import with_node, without_node
from l3conf.model.topology import NodeSpec

if TYPE_CHECKING:
    from l3conf.model.faults import Fault
    from l3conf.model.topology import Topology


def changed(topology: Topology, fault: Fault) -> Topology:
    """Return the topology while a fault is in force: another one if it adds or removes a node."""
    if isinstance(fault, NodeAdded):
        return with_node(topology, fault.cluster, NodeSpec(name=fault.node, gateway=fault.gateway), departed={})
    return without_node(topology, fault.cluster, fault.node) if isinstance(fault, NodeRemoved) else topology
