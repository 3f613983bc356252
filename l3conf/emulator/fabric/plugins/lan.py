"""Routes to pods over the LAN: through the LAN address of the node that they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import Route
from l3conf.model.addressing import node_addresses, pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec


def host_routes(cluster: ClusterSpec, number: int) -> tuple[Route, ...]:
    """Return a node's routes to the slices of all other nodes of its cluster."""
    others = (other for other, _ in cluster.numbered_nodes if other != number)
    return tuple(route for other in others for route in routes_to_pods(cluster, other))


def routes_to_pods(cluster: ClusterSpec, number: int) -> tuple[Route, ...]:
    """Return the routes to one node's pods, for whoever is on its LAN; none in a family that the LAN lacks."""
    via = {IPFamily.of(address): address for address in node_addresses(cluster, number)}
    slices = [slice_ for slice_ in pod_ranges(cluster, number) if IPFamily.of(slice_) in via]
    return tuple(Route(destination=slice_, via=via[IPFamily.of(slice_)]) for slice_ in slices)
