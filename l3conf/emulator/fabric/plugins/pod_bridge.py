"""A bridge on every node for the pods there: what ``bridge`` and ``overlay`` have in common.

A pod has its address alone (/32, /128), so even pods of one node talk through the node's own stack: kube-proxy
sees their answers on every kernel, with and without br_netfilter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import (
    BRIDGE,
    ETHERNET_MTU,
    FIRST_PORT,
    UPLINK,
    Address,
    Bridge,
    Cable,
    NamespacePlan,
    alone,
    default_route,
    mac_of,
    on_link,
)
from l3conf.emulator.fabric.plugins.protocol import GATEWAY_OFFSET, PodNetwork
from l3conf.model.addressing import host, pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.model.topology import ClusterSpec, IPNetwork

NAME = "cni0"


def node_bridge(cluster: ClusterSpec, number: int, *, mtu: int = ETHERNET_MTU) -> tuple[Bridge, tuple[Address, ...]]:
    """Return a node's pod bridge and its addresses, the first of each slice."""
    slices = pod_ranges(cluster, number)
    addresses = tuple(Address(link=BRIDGE, interface=on_link(slice_, GATEWAY_OFFSET)) for slice_ in slices)
    return Bridge(name=NAME, index=BRIDGE, mac=mac_of(addresses[0].interface.ip), mtu=mtu), addresses


def bridged_pod(slices: Sequence[IPNetwork], offset: int, uid: str, *, mtu: int = ETHERNET_MTU) -> PodNetwork:
    """Plan the pod at ``offset`` of its node's slices: the cable to ``cni0`` and its own namespace."""
    own = [host(slice_, offset) for slice_ in slices]
    cable = Cable(
        port=f"veth{offset}",
        port_index=FIRST_PORT + offset,
        master=BRIDGE,
        to=uid,
        name="eth0",
        index=UPLINK,
        mac=mac_of(own[0]),
        mtu=mtu,
    )
    gateways = [host(slice_, GATEWAY_OFFSET) for slice_ in slices]
    namespace = NamespacePlan(
        key=uid,
        families=frozenset(IPFamily.of(slice_) for slice_ in slices),
        addresses=tuple(Address(link=UPLINK, interface=on_link(alone(address), 0)) for address in own),
        routes=tuple(default_route(gateway, UPLINK) for gateway in gateways),
    )
    return PodNetwork(cable=cable, namespace=namespace)
