"""A lab with the suite's own workload in it: places, APIs, and everything that can be asked of them.

Nothing here knows of an implementation; ``l3conf.plugin.lab`` adds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError, LabIncapableError
from l3conf.expectations import every, udp
from l3conf.expectations.places import Stranger
from l3conf.expectations.reachability import Reachability
from l3conf.expectations.streams import Stream
from l3conf.expectations.wan import Wan
from l3conf.labs import CONFINED
from l3conf.labs.base import Capability
from l3conf.model.public_addresses import without_reachable_pods
from l3conf.model.strangers import unowned_addresses
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Protocol
from l3conf.plugin import dns, local_traffic
from l3conf.plugin.carriage import is_carried_inside
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.plugin.inventory import installed_objects
from l3conf.plugin.resources import Resources
from l3conf.plugin.untold import Untold, if_told
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address

    from l3conf.expectations import Node, Outsider, Pod, Service
    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Client, Server
    from l3conf.labs.base import Lab as Ground
    from l3conf.model.topology import IPAddress, Topology
    from l3conf.oracle import Table
    from l3conf.plugin.inventory import Pods
    from l3conf.plugin.local_traffic import LocalTraffic
    from l3conf.plugin.run import Run

_FREE = 200
"""Number of a WAN address beyond those that a lab gives out (``model.addressing``)."""
NodeStates = Mapping[str, "Mapping[str, object]"]
"""Everything in the nodes' network configuration, by place (``east@east-1``)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be compared before an implementation is there and after it has gone."""

    nodes: NodeStates
    objects: Mapping[str, frozenset[str]]
    """Cluster-wide objects by cluster, the broker's under its own name."""
    local_traffic: Mapping[IPFamily, LocalTraffic]
    carried: frozenset[tuple[Protocol, IPFamily]] = frozenset()
    """What, beyond the ordinary protocols, passed between the nodes of every cluster."""

    @classmethod
    def untold(cls, why: str) -> Snapshot:
        """Return a snapshot with which nothing can be compared, for this reason."""
        reason = LabIncapableError(why)
        return cls(nodes=Untold(reason), objects=Untold(reason), local_traffic=Untold(reason))


@dataclass(slots=True, repr=False)
class FurnishedLab:
    """Clusters with a probe pod on every node."""

    ground: Ground
    run: Run
    harness: Harness
    apis: Mapping[str, ClusterAPI]
    """By cluster."""
    broker: ClusterAPI
    pods: Pods
    services: Mapping[str, Service]
    """The Service over the probe pods, by cluster."""
    nodes: tuple[Node, ...]
    outsider: Outsider

    def __repr__(self) -> str:
        """Return a name: assertions that fail show what they compared, and all that a lab knows would hide it."""
        return f"<lab {self.topology.name}>"

    @property
    def topology(self) -> Topology:
        """The cluster set."""
        return self.ground.topology

    @property
    def families(self) -> tuple[IPFamily, ...]:
        """Address families that every cluster has; if they share none, those that some have."""
        each = [set(cluster.families) for cluster in self.topology.clusters]
        chosen = set.intersection(*each) or set.union(*each)
        return tuple(family for family in IPFamily if family in chosen)

    def gateways_across(self, family: IPFamily) -> list[tuple[Node, Pod]]:
        """Return every node that may hold cables with every pod of every other cluster."""
        return [
            (node, pod)
            for node in self.nodes
            for pod in self.pods.having(family)
            if node.is_gateway and node.site.cluster != pod.site.cluster
        ]

    @property
    def every_api(self) -> tuple[ClusterAPI, ...]:
        """The APIs of all clusters, the broker's last."""
        return (*self.apis.values(), self.broker)

    @property
    def resources(self) -> list[Resources]:
        """The group ``submariner.io/v1`` of every cluster."""
        return [Resources(api) for api in self.apis.values()]

    def reachability(self, table: Table) -> Reachability:
        """Return an expectation about the cells of a table."""
        return Reachability(self.harness, table, {pod.site: pod for pod in self.pods.all}, self.services)

    def stream(
        self,
        pairs: Iterable[tuple[Client, Server]],
        *,
        rate: float = 100.0,
        family: IPFamily | None = None,
        size: int = 64,
        fresh: bool = False,
    ) -> Stream:
        """Return numbered flows, one a pair, that run while the context of the result is open (``Stream``).

        ``family`` defaults to the first that all clusters have; ``rate`` is in packets a second and flow. ``fresh``:
        every packet comes from a port of its own and so begins a flow of its own.
        """
        return Stream(self.harness, pairs, rate=rate, family=family or self.families[0], size=size, fresh=fresh)

    @property
    def wan(self) -> Wan:
        """The network between the sites; where the lab cannot capture there, or send samples, the row is untestable."""
        missing = {Capability.WAN_CAPTURE, Capability.RAW_PACKETS} - self.ground.capabilities
        if missing:
            pytest.skip(f"the {self.ground.kind} lab cannot do: {', '.join(sorted(each.value for each in missing))}")
        return Wan(self.harness, self.outsider)

    def strangers(self, family: IPFamily) -> list[Stranger]:
        """Return addresses that no cluster owns: the outsider's, one far away, and one beside each member's range."""
        return [Stranger(addresses=(address,)) for address in unowned_addresses(self.topology, family)]

    def local_traffic(self, family: IPFamily) -> LocalTraffic:
        """Observe the traffic that no connection between clusters may change, DNS included where there is one."""
        hidden = without_reachable_pods(self.topology, family)
        table = local_traffic.observe(
            self.harness, self.pods.all, self.services, self.nodes, self.outsider, family, hidden=hidden
        )
        for cluster, api in self.apis.items() if Capability.COMMANDS in self.ground.capabilities else ():
            server, pod = dns.server_of(api), self.pods.of(cluster)[-1]
            if server:
                table[f"dns {pod} -> {server}"] = dns.look_up(self.ground, pod, server)
        return table

    def node_states(self, *clusters: str) -> NodeStates:
        """Return the network configuration of every node of the named clusters, or of all."""
        return {
            node.place: self.ground.node_state(node.site.cluster, node.site.node)
            for node in self.nodes
            if not clusters or node.site.cluster in clusters
        }

    def snapshot(self) -> Snapshot:
        """Return all that a removal must restore, once every cluster by itself carries probes (control window).

        ``LabError`` if some local traffic is not answered: with these a lab is no ground to stand on.
        """

        def services() -> bool | Pending:
            broken = local_traffic.unserved(self.harness, self.pods.all, self.services, self.families[0])
            return Pending(f"{len(broken)} pods do not reach their Service, e.g. {broken[0]}") if broken else True

        def look() -> dict[IPFamily, LocalTraffic] | Pending:
            tables = {family: self.local_traffic(family) for family in self.families}
            broken = [line for table in tables.values() for line in local_traffic.undelivered(table)]
            return Pending(f"{len(broken)} local flows fail, e.g. {broken[0]}") if broken else tables

        try:
            self.harness.wait("Services work before anything is installed", services, "T_baseline")
            tables = self.harness.wait("local traffic works before anything is installed", look, "T_baseline")
        except DeadlineMissedError as missed:
            raise LabError(str(missed), where=self.topology.name) from None
        return Snapshot(
            nodes=if_told(self.node_states),
            objects=if_told(lambda: {api.name: installed_objects(api) for api in self.every_api}),
            local_traffic=if_told(lambda: self._whole(tables)),
            carried=frozenset(
                (Protocol.SCTP, family)
                for family in self.families
                if Capability.SCTP in self.ground.capabilities
                and is_carried_inside(self.harness, self.pods, Protocol.SCTP, family)
            ),
        )

    def _whole(self, tables: Mapping[IPFamily, LocalTraffic]) -> Mapping[IPFamily, LocalTraffic]:
        """Return tables of local traffic if nothing that belongs into them is missing; else ``LabIncapableError``."""
        missing = {Capability.HOSTS, Capability.OUTSIDER, Capability.COMMANDS} - self.ground.capabilities
        if missing:
            words = ", ".join(sorted(each.value for each in missing))
            raise LabIncapableError(f"the {self.ground.kind} lab cannot do: {words}")
        return tables

    def crossing(self, family: IPFamily) -> list[str]:
        """Return the flows between pods of different clusters that are answered now."""
        seen = every(udp(a, b, family=family) for a, b in self.pods.across_clusters(family)).observe()
        return [f"{one.probe.source} -> {one.probe.destination}" for one in seen if one.outcome is Outcome.DELIVERED]

    def presupposes(self, what: str, *, holds: bool) -> None:
        """Check what a test takes for granted of its topology; on one of the user's it is untestable without that."""
        if not holds and self.run.options.own_topologies:
            pytest.skip(f"it presupposes that {what}, and {self.topology.name} is not like that")
        assert holds, f"{self.topology.name} is no topology for this test: {what}"  # noqa: S101 - a guard of the suite's

    def underlay_mtu(self, family: IPFamily, *clusters: str) -> int:
        """Return the least MTU, in bytes, of the links on which gateway nodes of these clusters, or of all, send.

        Over IPv6 their sites' access links count as well: nobody on the way cuts a packet up (RFC 8200 section 5).
        """
        gateways = {node.site.cluster: node for node in reversed(self.nodes) if node.is_gateway}
        found = []
        for cluster in clusters or gateways:
            there = next(node for other, node in gateways.items() if other != cluster)
            route = self._ask(gateways[cluster], "route", "get", str(there.address(family)))
            found.append(int(self._ask(gateways[cluster], "link", "show", "dev", route["dev"])["mtu"]))
            if family is IPFamily.IPV6:
                found.append(self.topology.cluster(cluster).site.wan_mtu)
        return min(found)

    @staticmethod
    def udp_overhead(family: IPFamily) -> int:
        """Return the bytes of IP and UDP header without options."""
        return 8 + (20 if family is IPFamily.IPV4 else 40)

    def owner_of(self, address: IPAddress | None) -> str:
        """Return the cluster to whose pods, Services or nodes an address belongs; "" if to none."""
        for cluster in self.topology.clusters:
            ranges = (*cluster.pod_cidrs, *cluster.service_cidrs, *cluster.node_cidrs)
            if address is not None and any(address in prefix for prefix in ranges):
                return cluster.name
        return ""

    def idle(self, window: str) -> None:
        """Let a window of the table pass without a packet of the suite's own."""
        seconds = self.harness.budgets.get(window)
        self.run.note(f"idle for {window} = {seconds:g} s")
        self.harness.clock.sleep(seconds)

    @property
    def free_wan_address(self) -> IPv4Address:
        """An IPv4 address of the WAN that nobody has."""
        network = next(cidr for cidr in self.topology.wan_cidrs if isinstance(cidr, IPv4Network))
        return network[_FREE]

    def free_node_address(self, cluster: str, family: IPFamily) -> IPAddress:
        """Return an address of a cluster's LAN that nobody has."""
        lan = next(cidr for cidr in self.topology.cluster(cluster).node_cidrs if IPFamily.of(cidr) is family)
        return lan[_FREE]

    def open_api(self, cluster: str) -> ClusterAPI:
        """Return a further client of a cluster's API, for a thread of its own; the caller closes it."""
        access = self.ground.clusters[cluster]
        seconds = self.harness.budgets.get("T_api")
        return ClusterAPI(
            cluster,
            access.kubeconfig,
            timeout=seconds,
            namespace=self.ground.namespace,
            confined=self.ground.kind in CONFINED,
        )

    def close(self) -> None:
        """Close API clients and end the ground."""
        for api in self.every_api:
            api.close()
        self.ground.close()

    def _ask(self, node: Node, *words: str) -> dict[str, Any]:
        """Return the first answer of ``ip -json`` on a node."""
        code, out, err = self.ground.run(node.place, ["ip", "-json", *words], timeout=5.0)
        if code != 0:
            raise LabError(f"ip {' '.join(words)} failed: {err.strip()}", where=node.place)
        return dict(json.loads(out)[0])
