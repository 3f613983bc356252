"""A lab with an implementation in it, as scenarios see it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from l3conf import oracle
from l3conf.adapter import HookRequest, HookUnavailable
from l3conf.errors import LabError
from l3conf.expectations.reachability import Reachability
from l3conf.model.implementation import Verb
from l3conf.model.topology import IPFamily
from l3conf.observation import Protocol
from l3conf.plugin import dns, exchange, local_traffic, residue
from l3conf.plugin.cluster_api import GROUP, ClusterAPI
from l3conf.plugin.gateways import connections
from l3conf.plugin.inventory import installed_objects
from l3conf.plugin.outage import watch_outage
from l3conf.plugin.resources import Resources
from l3conf.plugin.stages import Once
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.adapter import HookRunner
    from l3conf.expectations import Node, Outsider, Service
    from l3conf.expectations.harness import Harness
    from l3conf.labs.base import Lab as Ground
    from l3conf.model.topology import Topology
    from l3conf.oracle import Table
    from l3conf.plugin.inventory import Pods
    from l3conf.plugin.local_traffic import LocalTraffic
    from l3conf.plugin.outage import Outage
    from l3conf.plugin.run import Run

_MOST_LINES = 12
"""Lines of a finding that a message shows."""

NodeStates = dict[str, "Mapping[str, object]"]
"""Everything in the nodes' network configuration, by place (``east@east-1``)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be compared before an implementation is there and after it has gone."""

    nodes: NodeStates
    objects: Mapping[str, frozenset[str]]
    """Cluster-wide objects by cluster, the broker's under its own name."""
    local_traffic: LocalTraffic


@dataclass(frozen=True, slots=True)
class Departure:
    """A cluster that left, with the proof that there was something to forget."""

    known: tuple[str, ...]
    """What the others and the broker held of it before."""
    named: tuple[str, ...]
    """What on the others' nodes named it before."""
    at: float
    """``time.monotonic`` when the leave hook had ended."""


@dataclass(slots=True)
class Lab:
    """A cluster set under test. Made by the fixtures ``lab``, ``fresh_lab`` and ``installed_lab``."""

    ground: Ground
    run: Run
    harness: Harness
    hooks: HookRunner
    apis: Mapping[str, ClusterAPI]
    """By cluster."""
    broker: ClusterAPI
    pods: Pods
    services: Mapping[str, Service]
    """The Service over the probe pods, by cluster."""
    nodes: tuple[Node, ...]
    outsider: Outsider
    joined: list[str] = field(default_factory=list)
    joined_at: float = 0.0
    """``time.monotonic`` when the last join hook had ended."""
    before: Snapshot = field(init=False)
    """As it was before anything of the implementation was installed."""
    connected: Once[None] = field(init=False)
    """Waits once until packets cross; everyone who needs that shares the outcome."""
    removed: Once[float] = field(init=False)
    """Removes the implementation everywhere; the moment at which the hook had ended."""
    _outages: dict[tuple[str, str], Once[Outage]] = field(init=False, default_factory=dict)
    _departures: dict[str, Once[Departure]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.connected = Once(self._await_connected)
        self.removed = Once(self._remove)

    @property
    def topology(self) -> Topology:
        """The cluster set."""
        return self.ground.topology

    @property
    def families(self) -> tuple[IPFamily, ...]:
        """Address families that every cluster has."""
        shared = set(IPFamily).intersection(*(cluster.families for cluster in self.topology.clusters))
        return tuple(family for family in IPFamily if family in shared)

    # What the oracle says, and what packets say.

    def expected(self) -> Table:
        """Return who must reach whom now, seen as whom."""
        return oracle.expected(self.topology, joined=self.joined, features=self.run.implementation.features)

    def reachability(self, table: Table) -> Reachability:
        """Return an expectation about the cells of a table."""
        return Reachability(self.harness, table, {pod.site: pod for pod in self.pods.all}, self.services)

    def local_traffic(self) -> LocalTraffic:
        """Observe the traffic that no connection between clusters may change, DNS included where there is one."""
        table = local_traffic.observe(
            self.harness, self.pods.all, self.services, self.nodes, self.outsider, self.families[0]
        )
        for cluster, api in self.apis.items():
            server, pod = dns.server_of(api), self.pods.of(cluster)[-1]
            if server:
                table[f"dns {pod} -> {server}"] = dns.look_up(self.ground, pod, server)
        return table

    # What no API offers.

    def underlay_mtu(self, family: IPFamily) -> int:
        """Return the MTU of the link on which a gateway node sends to another cluster, in bytes."""
        here, there = (
            next(node for node in self.nodes if node.is_gateway and node.site.cluster == cluster.name)
            for cluster in self.topology.clusters[:2]
        )
        route = self._ask(here, "route", "get", str(there.address(family)))
        return int(self._ask(here, "link", "show", "dev", route["dev"])["mtu"])

    @staticmethod
    def udp_overhead(family: IPFamily) -> int:
        """Return the bytes of IP and UDP header without options."""
        return 8 + (20 if family is IPFamily.IPV4 else 40)

    def _ask(self, node: Node, *words: str) -> dict[str, Any]:
        """Return the first answer of ``ip -json`` on a node."""
        code, out, err = self.ground.run(node.place, ["ip", "-json", *words], timeout=5.0)
        if code != 0:
            raise LabError(f"ip {' '.join(words)} failed: {err.strip()}", where=node.place)
        return dict(json.loads(out)[0])

    def node_states(self, *clusters: str) -> NodeStates:
        """Return the network configuration of every node of the named clusters, or of all."""
        return {
            node.place: self.ground.node_state(node.site.cluster, node.site.node)
            for node in self.nodes
            if not clusters or node.site.cluster in clusters
        }

    def take_snapshot(self) -> None:
        """Record all that a removal must restore, once every cluster by itself carries probes (control window).

        ``LabError`` if some local traffic is not answered: with these a lab is no ground to stand on.
        """

        def services() -> bool | Pending:
            broken = local_traffic.unserved(self.harness, self.pods.all, self.services, self.families[0])
            return Pending(f"{len(broken)} pods do not reach their Service, e.g. {broken[0]}") if broken else True

        def look() -> LocalTraffic | Pending:
            table = self.local_traffic()
            broken = local_traffic.undelivered(table)
            return Pending(f"{len(broken)} local flows fail, e.g. {broken[0]}") if broken else table

        try:
            self.harness.wait("Services work before anything is installed", services, "T_baseline")
            table = self.harness.wait("local traffic works before anything is installed", look, "T_baseline")
        except DeadlineMissedError as missed:
            raise LabError(str(missed), where=self.topology.name) from None
        objects = {api.name: installed_objects(api) for api in (*self.apis.values(), self.broker)}
        self.before = Snapshot(nodes=self.node_states(), objects=objects, local_traffic=table)

    @contextmanager
    def cut(self, source: str, destination: str) -> Iterator[None]:
        """Drop everything from one site to another, this direction only, while the context is open."""
        with self.ground.cut(source, destination):
            self.run.note(f"cut: {source} -> {destination}")
            yield
        self.run.note(f"healed: {source} -> {destination}")

    def outage(self, source: str, destination: str) -> Outage:
        """Cut one direction until it is reported, heal it, and return the two timelines. Done once a direction."""
        key = (source, destination)
        if key not in self._outages:
            self._outages[key] = Once(lambda: watch_outage(self, source, destination))
        return self._outages[key]()

    # What the APIs say.

    @property
    def resources(self) -> list[Resources]:
        """The group ``submariner.io/v1`` of every cluster."""
        return [Resources(api) for api in self.apis.values()]

    def not_learnt(self) -> list[str]:
        """Return what members do not know of the others."""
        return [
            line
            for member in self.joined
            for line in exchange.not_learnt(
                member,
                [self.topology.cluster(other) for other in self.joined if other != member],
                self.apis[member].items(f"{GROUP}/clusters"),
                self.apis[member].items(f"{GROUP}/endpoints"),
            )
        ]

    def still_known(self, leaver: str) -> list[str]:
        """Return what members, their gateways and the broker still hold of a cluster that left."""
        lines = []
        for holder in (*(self.apis[member] for member in self.joined), self.broker):
            kept = {kind: holder.items(f"{GROUP}/{kind}") for kind in ("clusters", "endpoints")}
            lines += exchange.still_known(holder.name, leaver, **kept)
            told = connections(holder.items(f"{GROUP}/gateways"))
            lines += [f"{holder.name} still reports {entry}" for entry in told if entry.peer == leaver]
        return lines

    # What must be gone in the end.

    def still_named_on_nodes(self, leaver: str) -> list[str]:
        """Return what the nodes of the remaining members hold that names a range or gateway of the leaver."""
        left = self.topology.cluster(leaver)
        ranges = (*left.pod_cidrs, *left.service_cidrs, *left.node_cidrs)
        return [
            f"{place}: {line}"
            for place, state in self.node_states(*self.joined).items()
            for line in sorted({*residue.naming(state, ranges)} - {*residue.naming(self.before.nodes[place], ranges)})
        ]

    def changed_on_nodes(self) -> list[str]:
        """Return what on any node is not as it was before the implementation, documented residue excepted."""
        return residue.of_nodes(self.before.nodes, self.node_states(), self.run.implementation.residue)

    def changed_objects(self) -> list[str]:
        """Return the cluster-wide objects that came or went since before the implementation."""
        return [
            f"{api.name}: {name}"
            for api in (*self.apis.values(), self.broker)
            for name in sorted(installed_objects(api) ^ self.before.objects[api.name])
        ]

    def changed_local_traffic(self) -> list[str]:
        """Return the local flows that are not what they were before the implementation."""
        return local_traffic.differences(self.before.local_traffic, self.local_traffic())

    def eventually_none(
        self, what: str, look: Callable[[], list[str]], *, within: str, since: float | None = None
    ) -> None:
        """Expect ``look`` to find nothing within a budget, counted from ``since`` (``time.monotonic``) or from now."""

        def condition() -> str | Pending:
            found = look()
            more = f"\n  … and {len(found) - _MOST_LINES} more" if len(found) > _MOST_LINES else ""
            listed = "\n  ".join(found[:_MOST_LINES])
            return Pending(f"{len(found)} found:\n  {listed}{more}") if found else what

        self.harness.wait(what, condition, within, started=since)

    # What only the implementation can do.

    def install(self) -> None:
        """Check the canary, deploy, and join every cluster; then wait for nothing."""
        self.hooks.check_canary(
            self._request(), self.run.random("canary"), timeout=self.harness.budgets.get("T_canary")
        )
        self.call(Verb.DEPLOY)
        for cluster in self.topology.clusters:
            self.join(cluster.name)

    def join(self, cluster: str) -> None:
        """Make a cluster a member."""
        self.call(Verb.JOIN, cluster)
        self.joined.append(cluster)
        self.joined_at = time.monotonic()

    def departed(self, cluster: str) -> Departure:
        """Take a cluster out of the set, once, and return what there was of it and when it had left."""
        if cluster not in self._departures:
            self._departures[cluster] = Once(lambda: self._leave(cluster))
        return self._departures[cluster]()

    def _leave(self, cluster: str) -> Departure:
        self.joined.remove(cluster)
        known, named = self.still_known(cluster), self.still_named_on_nodes(cluster)
        self.call(Verb.LEAVE, cluster)
        return Departure(tuple(known), tuple(named), time.monotonic())

    def _remove(self) -> float:
        self.call(Verb.REMOVE)
        self.joined.clear()
        return time.monotonic()

    def call(self, verb: Verb, cluster: str = "") -> None:
        """Call a hook; a verb that the implementation does not have makes the row untestable."""
        budget = "T_deploy" if verb is Verb.DEPLOY else "T_hook"
        answer = self.hooks.run(verb, self._request(cluster), timeout=self.harness.budgets.get(budget))
        if isinstance(answer, HookUnavailable):
            pytest.skip(answer.reason)

    def _request(self, cluster: str = "") -> HookRequest:
        return HookRequest(
            lab=self.ground, work_directory=self.run.scratch / "work" / self.topology.name, cluster=cluster
        )

    def _await_connected(self) -> None:
        """Wait until every pod reaches every pod of the other members, over every protocol.

        If that never comes, but some packets cross between all of them, the lab is good enough to ask the rows
        what exactly is missing. If nothing crosses between two members, no row has anything to say.
        """
        table = oracle.whoever_asks(oracle.across_clusters(self.expected(), oracle.Via.POD, *Protocol))
        wanted = {(cell.client.cluster, cell.server.cluster) for cell, want in table.items() if want.reachable}
        if not wanted:
            pytest.skip("this topology has no clusters that the implementation has to connect")
        reachability = self.reachability(table)
        try:
            reachability.holds(within="T_join", started=self.joined_at)
        except AssertionError:
            crossed = {(cell.client.cluster, cell.server.cluster) for cell in reachability.reached}
            if not wanted <= crossed:
                raise
            self.run.note("only some packets cross: the rows will say which")

    def open_api(self, cluster: str) -> ClusterAPI:
        """Return a further client of a cluster's API, for a thread of its own; the caller closes it."""
        access = self.ground.clusters[cluster]
        return ClusterAPI(cluster, access.kubeconfig, timeout=self.harness.budgets.get("T_api"))

    def close(self) -> None:
        """Close API clients and end the ground."""
        for api in (*self.apis.values(), self.broker):
            api.close()
        self.ground.close()
