"""Network plugin ``bridge``: one bridge a node, host routes between nodes, masquerade of what leaves the pod range.

::

    pod eth0 ── veth ── cni0 (.1 of the node's slice) ── node ── eth0 ── LAN
                                                          └ route to each other node's slice via its LAN address
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.plugins.lan import host_routes
from l3conf.emulator.fabric.plugins.masquerade import masquerade
from l3conf.emulator.fabric.plugins.pod_bridge import bridged_pod, node_bridge
from l3conf.emulator.fabric.plugins.protocol import NodeNetwork, PodNetwork
from l3conf.model.addressing import pod_ranges

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec


def node_network(cluster: ClusterSpec, number: int) -> NodeNetwork:
    """Plan a node's bridge, its routes to the other nodes' pods and its masquerade."""
    bridge, addresses = node_bridge(cluster, number)
    return NodeNetwork(
        bridges=(bridge,),
        addresses=addresses,
        routes=host_routes(cluster, number),
        ruleset=masquerade(cluster),
    )


def pod_network(cluster: ClusterSpec, number: int, offset: int, uid: str) -> PodNetwork:
    """Plan a pod on its node's bridge."""
    return bridged_pod(pod_ranges(cluster, number), offset, uid)
