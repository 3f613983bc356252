"""What a topology file says, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from l3conf.model.site import SiteSpec

MAX_RESTART_PERIOD = 300
"""Seconds that a kubelet without a setting of its own waits at most before it starts a container again."""

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network


class IPFamily(enum.Enum):
    """Address families, spelt as in the Kubernetes API."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @classmethod
    def of(cls, address: IPAddress | IPNetwork) -> IPFamily:
        """Return the family of an address or prefix."""
        return cls.IPV4 if address.version == 4 else cls.IPV6  # noqa: PLR2004 - the IP version number


class NetworkPlugin(enum.Enum):
    """Network plugins that the emulator knows, by the habits that matter to an implementation."""

    BRIDGE = "bridge"
    """Host routes between nodes; masquerades what leaves the pod range."""
    OVERLAY = "overlay"
    """VXLAN between nodes, so the LAN knows no pods; small MTU in pods; masquerades what leaves the pod range."""
    ROUTED = "routed"
    """A host route per pod and no bridge; forwards only for its own pods; strict reverse-path filter; masquerades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of a cluster."""

    name: str
    """Node name, unique in the cluster; an RFC 1123 label."""
    gateway: bool = False
    """Whether the node carries the label ``submariner.io/gateway=true``."""
    annotations: tuple[tuple[str, str], ...] = ()
    """What the cluster's operator wrote on the node before anything was installed: ``gateway.submariner.io/…``."""
    number: int | None = None
    """Its number in the cluster, which its addresses follow from (``addressing``); None: its place in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """One Kubernetes cluster on its own site."""

    name: str
    """Cluster id: an RFC 1123 label of at most 63 characters, unique in the topology."""
    pod_cidrs: tuple[IPNetwork, ...]
    """Pod ranges, at most one per family; divided among the nodes."""
    service_cidrs: tuple[IPNetwork, ...]
    """ClusterIP ranges, at most one per family."""
    node_cidrs: tuple[IPNetwork, ...]
    """The site's LAN, at most one per family; unique among sites."""
    nodes: tuple[NodeSpec, ...]
    """Nodes in the order of their numbers; at least one of a file's is a gateway node."""
    plugin: NetworkPlugin = NetworkPlugin.BRIDGE
    site: SiteSpec = field(default_factory=SiteSpec)
    """What stands between the cluster and the WAN."""
    cable_drivers: tuple[int, ...] = ()
    """Cable drivers that it may use, most preferred first, as places in the implementation's own list; empty: all."""
    global_cidrs: tuple[IPNetwork, ...] | None = None
    """Ranges of its global addresses, at most one per family; empty: the implementation chooses; None: it has none."""
    max_container_restart_period: int = MAX_RESTART_PERIOD
    """Seconds that its kubelets wait at most before they start a container again (KEP-4603)."""
    laid_out_for: int = 0
    """Nodes that its pod ranges were divided for; 0: those that it has. Nodes that come or go move nobody's slice."""

    @property
    def numbered_nodes(self) -> tuple[tuple[int, NodeSpec], ...]:
        """All nodes with their numbers, in order."""
        return tuple((place if node.number is None else node.number, node) for place, node in enumerate(self.nodes))

    def number_of(self, node: str) -> int:
        """Return a node's number; ``KeyError`` names the nodes that there are."""
        for number, one in self.numbered_nodes:
            if one.name == node:
                return number
        known = ", ".join(one.name for one in self.nodes)
        raise KeyError(f"no node {node!r} in cluster {self.name!r}; it has {known}")

    @property
    def families(self) -> tuple[IPFamily, ...]:
        """Families of the pod ranges, in the order of the file."""
        return tuple(IPFamily.of(cidr) for cidr in self.pod_cidrs)

    @property
    def global_families(self) -> tuple[IPFamily, ...]:
        """Families of its global addresses; where the implementation chooses ranges, the first family of its pods."""
        if self.global_cidrs is None:
            return ()
        return tuple(IPFamily.of(cidr) for cidr in self.global_cidrs) or self.families[:1]

    @property
    def is_translated(self) -> bool:
        """Whether others know it by global addresses only."""
        return self.global_cidrs is not None

    def shares_a_driver_with(self, other: ClusterSpec) -> bool:
        """Say whether a cable between the two is possible (L3-D6)."""
        return not self.cable_drivers or not other.cable_drivers or bool({*self.cable_drivers} & {*other.cable_drivers})

    @property
    def gateway_nodes(self) -> tuple[NodeSpec, ...]:
        """Nodes that may run a gateway agent."""
        return tuple(node for node in self.nodes if node.gateway)

    @property
    def worker_nodes(self) -> tuple[NodeSpec, ...]:
        """Nodes that never hold a cable."""
        return tuple(node for node in self.nodes if not node.gateway)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A cluster set: clusters, each on its own site, a broker and an outsider on one WAN."""

    name: str
    """RFC 1123 label; also the name of its file."""
    clusters: tuple[ClusterSpec, ...]
    wan_cidrs: tuple[IPNetwork, ...] = (IPv4Network("192.0.2.0/24"),)
    """The wide-area network that sites, broker and outsider share, at most one per family."""
    pods_per_node: int = 0
    """Probe pods that ``lab up`` starts on every node; the suite brings its own."""

    def cluster(self, name: str) -> ClusterSpec:
        """Return the cluster of that name; ``KeyError`` names what there is."""
        for cluster in self.clusters:
            if cluster.name == name:
                return cluster
        known = ", ".join(cluster.name for cluster in self.clusters)
        raise KeyError(f"no cluster {name!r} in topology {self.name!r}; it has {known}")
