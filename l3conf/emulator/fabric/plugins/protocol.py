"""What a network plugin is to the fabric: two functions from a cluster's facts to plans. Pure.

A plugin is a module of this package that has them; ``registry`` says which one a topology file means by a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import Address, Bridge, Cable, NamespacePlan, Route, Tunnel
    from l3conf.model.topology import ClusterSpec

GATEWAY_OFFSET = 1
"""Offset of the node itself in its pod slice; pods follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNetwork:
    """What a plugin adds to a node before there is any pod."""

    bridges: tuple[Bridge, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    ruleset: str = ""
    """nftables text."""
    strict_reverse_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """A pod's own namespace, its cable, and what the node's end of the cable needs."""

    cable: Cable
    namespace: NamespacePlan
    port_addresses: tuple[Address, ...] = ()
    port_routes: tuple[Route, ...] = ()
    answers_for_everyone: bool = False
    """Proxy ARP on the port."""


class Plugin(Protocol):
    """A network plugin."""

    def node_network(self, cluster: ClusterSpec, number: int) -> NodeNetwork:
        """Plan what a node has of the plugin."""
        ...

    def pod_network(self, cluster: ClusterSpec, number: int, offset: int, uid: str) -> PodNetwork:
        """Plan the pod at ``offset`` of a node's slices."""
        ...
