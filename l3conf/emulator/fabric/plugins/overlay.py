"""Network plugin ``overlay``: VXLAN between nodes, small MTU in pods, masquerade of what leaves the pod range.

::

    pod eth0 ── veth ── cni0 (.1 of the node's slice) ── node ── overlay0 ══ VXLAN over the LAN ══ other nodes

As of Flannel's vxlan backend: a node reaches another's slice through the bridge address there, which is pinned to
that node's VTEP; nothing is learnt and nothing flooded. The VXLAN runs over the LAN's first family whatever the
pods' families are, so pods can have families that the LAN lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import ETHERNET_MTU, OVERLAY, Route, Tunnel, TunnelPeer, mac_of
from l3conf.emulator.fabric.plugins.masquerade import masquerade
from l3conf.emulator.fabric.plugins.pod_bridge import bridged_pod, node_bridge
from l3conf.emulator.fabric.plugins.protocol import GATEWAY_OFFSET, NodeNetwork, PodNetwork
from l3conf.model.addressing import host, node_addresses, pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec

NAME = "overlay0"
VNI = 1
PORT = 8472
"""Flannel's port on Linux; the registered 4789 is left to implementations."""
OVERHEAD = {IPFamily.IPV4: 50, IPFamily.IPV6: 70}
"""Bytes that VXLAN adds, by the family of the LAN (RFC 7348: outer IP, UDP, VXLAN, inner Ethernet)."""


def pod_mtu(cluster: ClusterSpec) -> int:
    """Return the MTU of pods: 1450 where VXLAN runs over IPv4."""
    return ETHERNET_MTU - OVERHEAD[IPFamily.of(cluster.node_cidrs[0])]


def node_network(cluster: ClusterSpec, number: int) -> NodeNetwork:
    """Plan a node's bridge, its VXLAN device with all peers, its routes into it and its masquerade."""
    bridge, addresses = node_bridge(cluster, number, mtu=pod_mtu(cluster))
    others = [other for other, _ in cluster.numbered_nodes if other != number]
    tunnel = Tunnel(
        name=NAME,
        index=OVERLAY,
        vni=VNI,
        port=PORT,
        local=node_addresses(cluster, number)[0],
        mac=_vtep_mac(cluster, number),
        mtu=pod_mtu(cluster),
        peers=tuple(_peer(cluster, other) for other in others),
    )
    return NodeNetwork(
        bridges=(bridge,),
        tunnels=(tunnel,),
        addresses=addresses,
        routes=tuple(route for other in others for route in _routes(cluster, number, other)),
        ruleset=masquerade(cluster),
    )


def pod_network(cluster: ClusterSpec, number: int, offset: int, uid: str) -> PodNetwork:
    """Plan a pod on its node's bridge."""
    return bridged_pod(pod_ranges(cluster, number), offset, uid, mtu=pod_mtu(cluster))


def _vtep_mac(cluster: ClusterSpec, number: int) -> bytes:
    """Return the MAC of a node's VTEP: of the slice, since the bridge has that of the slice's first address."""
    return mac_of(pod_ranges(cluster, number)[0].network_address)


def _peer(cluster: ClusterSpec, number: int) -> TunnelPeer:
    return TunnelPeer(
        mac=_vtep_mac(cluster, number),
        underlay=node_addresses(cluster, number)[0],
        neighbours=tuple(host(slice_, GATEWAY_OFFSET) for slice_ in pod_ranges(cluster, number)),
    )


def _routes(cluster: ClusterSpec, number: int, other: int) -> list[Route]:
    """Return one node's routes to another's pods; the node itself appears there with its bridge's address."""
    pairs = zip(pod_ranges(cluster, number), pod_ranges(cluster, other), strict=True)
    return [
        Route(
            destination=theirs,
            via=host(theirs, GATEWAY_OFFSET),
            link=OVERLAY,
            source=host(own, GATEWAY_OFFSET),
        )
        for own, theirs in pairs
    ]
