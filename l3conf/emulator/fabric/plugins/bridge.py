"""Network plugin ``bridge``: one bridge a node, host routes between nodes, masquerade of what leaves the pod range.

::

    pod eth0 ── veth ── cni0 (.1 of the node's slice) ── node ── eth0 ── LAN
                                                          └ route to each other node's slice via its LAN address

A pod has its address alone (/32), so even pods of one node talk through the node's own stack: kube-proxy sees
their answers on every kernel, with and without br_netfilter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import (
    BRIDGE,
    FIRST_PORT,
    UPLINK,
    Address,
    Bridge,
    Cable,
    NamespacePlan,
    Route,
    alone,
    default_route,
    mac_of,
    on_link,
)
from l3conf.model.addressing import host, node_addresses, pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.model.topology import ClusterSpec, IPNetwork

BRIDGE_NAME = "cni0"
TABLE = "l3conf-cni"
GATEWAY_OFFSET = 1
"""Offset of the node's bridge in its pod slice; pods follow."""

_NFT_FAMILY = {IPFamily.IPV4: "ip", IPFamily.IPV6: "ip6"}


def node_bridge(cluster: ClusterSpec, node_index: int) -> tuple[Bridge, tuple[Address, ...]]:
    """Return a node's pod bridge and its addresses, the first of each slice."""
    slices = pod_ranges(cluster, node_index)
    addresses = tuple(Address(link=BRIDGE, interface=on_link(slice_, GATEWAY_OFFSET)) for slice_ in slices)
    return Bridge(name=BRIDGE_NAME, index=BRIDGE, mac=mac_of(addresses[0].interface.ip)), addresses


def host_routes(cluster: ClusterSpec, node_index: int) -> tuple[Route, ...]:
    """Return a node's routes to the slices of all other nodes of its cluster."""
    others = (index for index in range(len(cluster.nodes)) if index != node_index)
    return tuple(route for other in others for route in routes_to_pods(cluster, other))


def routes_to_pods(cluster: ClusterSpec, node_index: int) -> tuple[Route, ...]:
    """Return the routes to one node's pods, for whoever is on its LAN."""
    via = {IPFamily.of(address): address for address in node_addresses(cluster, node_index)}
    slices = pod_ranges(cluster, node_index)
    return tuple(Route(destination=slice_, via=via[IPFamily.of(slice_)]) for slice_ in slices)


def masquerade(cluster: ClusterSpec) -> str:
    """Return the ruleset that hides pods behind their node when they leave the cluster's pod range.

    It spares nothing but the cluster's own pods, so it also catches what is bound for another cluster.
    """
    return "".join(_masquerade_table(cidr) for cidr in cluster.pod_cidrs)


def _masquerade_table(cidr: IPNetwork) -> str:
    family = _NFT_FAMILY[IPFamily.of(cidr)]
    return f"""table {family} {TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        {family} saddr {cidr} {family} daddr != {cidr} masquerade
    }}
}}
"""


def plan_pod(slices: Sequence[IPNetwork], offset: int, uid: str) -> tuple[Cable, NamespacePlan]:
    """Plan the pod at ``offset`` of its node's slices: the cable to ``cni0`` and its own namespace."""
    own = [host(slice_, offset) for slice_ in slices]
    addresses = tuple(Address(link=UPLINK, interface=on_link(alone(address), 0)) for address in own)
    cable = Cable(
        port=f"veth{offset}",
        port_index=FIRST_PORT + offset,
        master=BRIDGE,
        to=uid,
        name="eth0",
        index=UPLINK,
        mac=mac_of(own[0]),
    )
    gateways = [host(slice_, GATEWAY_OFFSET) for slice_ in slices]
    reachable = (Route(destination=alone(gateway), link=UPLINK) for gateway in gateways)
    routes = (*reachable, *(default_route(gateway) for gateway in gateways))
    families = frozenset(IPFamily.of(slice_) for slice_ in slices)
    return cable, NamespacePlan(key=uid, families=families, addresses=addresses, routes=routes)
