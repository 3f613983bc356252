"""A lab with an implementation in it, as scenarios see it."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from l3conf import oracle
from l3conf.expectations.places import Service
from l3conf.labs.base import Capability
from l3conf.plugin import exchange
from l3conf.plugin.agents import Agents
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.connecting import await_connected
from l3conf.plugin.connection_policies import ConnectionPolicies
from l3conf.plugin.crowd import Crowd, gather
from l3conf.plugin.detour import detour
from l3conf.plugin.formation import watch_formation
from l3conf.plugin.furnished import FurnishedLab, Snapshot
from l3conf.plugin.global_addresses import GlobalAddresses
from l3conf.plugin.global_objects import SERVICES, service_over_probes
from l3conf.plugin.intrusion import watch_intrusion
from l3conf.plugin.inventory import SYSTEM_NAMESPACES
from l3conf.plugin.network_policies import granted, only_from
from l3conf.plugin.node_changes import Leavers, Newcomers, last_worker
from l3conf.plugin.observability import Observability
from l3conf.plugin.outage import watch_loss, watch_outage
from l3conf.plugin.phantoms import Phantoms
from l3conf.plugin.pod_churn import churn_pods
from l3conf.plugin.rejoining import remains, succeed
from l3conf.plugin.removal import Removal
from l3conf.plugin.silence import watch_restart, watch_silence
from l3conf.plugin.stages import Once
from l3conf.plugin.status_watch import StatusWatch
from l3conf.plugin.succession import Succession
from l3conf.plugin.versioned import VersionedLab
from l3conf.probes.manifests import NODE_LABEL
from l3conf.report.events import LabFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.expectations import Pod
    from l3conf.expectations.reachability import Reachability
    from l3conf.model.topology import IPFamily
    from l3conf.observation import Protocol
    from l3conf.oracle import Table
    from l3conf.plugin.formation import Formation
    from l3conf.plugin.intrusion import Intrusion
    from l3conf.plugin.outage import Outage
    from l3conf.plugin.pod_churn import Churn
    from l3conf.plugin.silence import Restart, Silence


@dataclass(frozen=True, slots=True)
class Departure:
    """A cluster that left, with the proof that there was something to forget."""

    known: tuple[str, ...]
    """What the others and the broker held of it before."""
    named: tuple[str, ...]
    """What on the others' nodes named it before."""
    at: float
    """``time.monotonic`` when the leave hook had ended."""


@dataclass(slots=True, repr=False)
class Lab(VersionedLab):
    """A cluster set under test. Made by the fixtures ``lab``, ``fresh_lab`` and ``installed_lab``."""

    connected: Once[None] = field(init=False)
    """Waits once until packets cross; everyone who needs that shares the outcome."""
    removed: Once[float] = field(init=False)
    """Removes the implementation everywhere; the moment at which the hook had ended."""
    _outages: dict[tuple[str, str], Once[Outage]] = field(init=False, default_factory=dict)
    _revocations: dict[str, Once[float]] = field(init=False, default_factory=dict)
    _departures: dict[str, Once[Departure]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self.snapshot()
        if Capability.MEMBERSHIP not in self.ground.capabilities:
            self.before = Snapshot.untold(f"what was before the implementation is not known: {self.ground.kind} lab")
        self.connected = Once(self._await_connected)
        self.removed = Once(self.members.remove)

    @property
    def joined_at(self) -> float:
        """``time.monotonic`` when the last join hook had ended."""
        return self.members.joined_at

    def expected(self, family: IPFamily | None = None) -> Table:
        """Return who must reach whom now, seen as whom; in one family, or in all."""
        table = oracle.expected(self.topology, joined=self.members.joined)
        return {cell: want for cell, want in table.items() if family in {None, cell.family}}

    def reachability(self, table: Table) -> Reachability:
        """Return an expectation about the cells of a table, those at global addresses among them."""
        # No super(): it does not work in a class with slots.
        plain = FurnishedLab.reachability(self, table)
        exports = self.global_addresses.services() if any(cell.by_global for cell in table) else {}
        return replace(plain, exports=exports, sources=self.global_addresses.sources)

    @property
    def global_addresses(self) -> GlobalAddresses:
        """Addresses that are unique in the cluster set."""
        return GlobalAddresses(self)

    def crowd(self, clients: Sequence[Pod], service: Service, *, flows: int) -> Crowd:
        """Open so many UDP flows from pods of one cluster to one Service and return what became of them."""
        return gather(self, clients, service, flows)

    def succession(self, cluster: str) -> Succession:
        """Return a cluster's gateway nodes, and who follows whom."""
        return Succession(self, cluster)

    def outage(self, source: str, destination: str) -> Outage:
        """Cut one direction until it is reported, heal it, and return the two timelines. Done once a direction."""
        key = (source, destination)
        if key not in self._outages:
            self._outages[key] = Once(lambda: watch_outage(self, source, destination))
        return self._outages[key]()

    def formed_again(self, member: str, *, cut: tuple[str, str] | None = None) -> Formation:
        """Let a member leave and join again, with one direction cut for a while, and return what was said."""
        return watch_formation(self, member, cut)

    def watched(self, *clusters: str) -> StatusWatch:
        """Return a watch over what these clusters, or all members, say while its context is open.

        It begins when all of them have said, once more, that they are connected: what was disturbed before is none of
        its business, and may not have been noticed yet.
        """
        members, asked = clusters or self.members.joined, time.time()
        self.eventually_none(
            "not all are connected before a watch begins",
            lambda: self.not_agreed(*members, since=asked),
            within="T_recover",
        )
        return StatusWatch(self, members)

    def silenced(self, cluster: str, peer: str) -> Silence:
        """Freeze the agents of a cluster until nobody can believe its status any more, and let them go on."""
        return watch_silence(self, cluster, peer)

    def restarted(self, *clusters: str) -> Restart:
        """Kill all agents of these clusters and return when their status was fresh and connected again."""
        return watch_restart(self, clusters)

    def underlay_lost(self, one: str, other: str, window: str) -> Outage:
        """Cut both directions between two clusters for a window of the table, and return the two timelines."""
        return watch_loss(self, one, other, self.harness.budgets.get(window))

    @property
    def policies(self) -> ConnectionPolicies:
        """ClusterConnectionPolicies at the broker."""
        return ConnectionPolicies(self)

    @contextmanager
    def admitting(self, cluster: str, *, only: str) -> Iterator[None]:
        """Have a NetworkPolicy let a cluster's pods hear those of one other cluster only, while the context is open."""
        with only_from(self.apis[cluster], self.topology.cluster(only).pod_cidrs):
            self.run.note(f"NetworkPolicy: pods of {cluster} hear those of {only} only")
            yield

    @contextmanager
    def service_of(self, pod: Pod) -> Iterator[Service]:
        """Have a Service over one probe pod while the context is open; yield it at its ClusterIPs."""
        cluster = pod.site.cluster
        name = f"l3conf-{self.harness.random.randbytes(4).hex()}"
        made = service_over_probes(name, headless=False)
        made["spec"]["selector"] = {NODE_LABEL: pod.site.node}
        self.apis[cluster].apply(made)
        try:
            spec = self.apis[cluster].get(f"{SERVICES}/{name}")["spec"]
            addresses = tuple(map(ip_address, spec.get("clusterIPs") or [spec["clusterIP"]]))
            yield Service(cluster=cluster, name=name, addresses=addresses, backends=(pod,))
        finally:
            self.apis[cluster].request("DELETE", f"{SERVICES}/{name}")

    @contextmanager
    def granting(self, pod: Pod, *, to: str, protocol: Protocol, withholding: Pod) -> Iterator[None]:
        """Have NetworkPolicies open one pod to one cluster over one protocol, and another one to no other cluster.

        Both stay open to their own namespace.
        """
        prefixes = self.topology.cluster(to).pod_cidrs
        with granted(self.apis[pod.site.cluster], pod, withholding, prefixes, protocol):
            self.run.note(f"NetworkPolicies: {to} may reach {pod} over {protocol.name}, and {withholding} not at all")
            yield

    @contextmanager
    def detour(self, member: str, *, to: str, through: str) -> Iterator[None]:
        """Send what a member's nodes have for one cluster the way to another while the context is open."""
        target = self.topology.cluster(to)
        with ExitStack() as stack:
            for node in self.nodes:
                if node.site.cluster == member:
                    for prefix in target.pod_cidrs:
                        there = self.pods.of(through)[0]
                        via = next(one for one in there.addresses if one.version == prefix.version)
                        stack.enter_context(detour(self.ground, node, prefix, via))
            self.run.note(f"{member} sends what is for {to} to {through}")
            yield

    def phantoms(self) -> Phantoms:
        """Return a context in which members that do not exist may join and leave at the broker."""
        return Phantoms.like_members(self.broker)

    def departed(self, cluster: str) -> Departure:
        """Take a cluster out of the set, once, and return what there was of it and when it had left."""
        if cluster not in self._departures:
            self._departures[cluster] = Once(lambda: self._leave(cluster))
        return self._departures[cluster]()

    def revoked(self, cluster: str) -> float:
        """Expel a member, once; return ``time.monotonic`` when the revocation was told."""
        if cluster not in self._revocations:
            self._revocations[cluster] = Once(lambda: self.members.revoke(cluster))
        return self._revocations[cluster]()

    def rotated(self, cluster: str) -> None:
        """Have a member use new keys, and expect every key that it published to be replaced within ``T_rekey``.

        Skips the test if it publishes no key: whether anything was replaced could not be seen.
        """
        old = self.published_keys(cluster)
        if not old:
            pytest.skip(f"{cluster} publishes no key in its Endpoints")
        told = self.members.rotate(cluster)
        self.eventually_none(
            "old keys are published", lambda: sorted(old & self.published_keys(cluster)), within="T_rekey", since=told
        )
        assert self.published_keys(cluster), f"{cluster} publishes no key any more"  # noqa: S101 - a finding

    def published_keys(self, cluster: str) -> set[str]:
        """Return the public keys in a member's Endpoints, wherever these are held."""
        holders = (*self.apis.values(), self.broker)
        return {key for api in holders for key in exchange.published_keys(cluster, api.items(f"{GROUP}/endpoints"))}

    def agents(self, cluster: str) -> Agents:
        """Return the implementation's agents in a cluster, as an operator sees and restarts them."""
        return Agents(self, cluster)

    @property
    def removal(self) -> Removal:
        """Removals that are interrupted, repeated, or begun at the wrong end."""
        return Removal(self)

    def churning(self, window: str, *clusters: str) -> Churn:
        """Have ten pods a second come and go on all nodes of these clusters for a window of the table."""
        return churn_pods(self, window, *clusters)

    def joined_under(self, cluster: str, name: str) -> Intrusion:
        """Let a cluster that is no member join under the name of one that is, and watch for ``W_steady``."""
        return watch_intrusion(self, cluster, name)

    def newcomers(self, *clusters: str) -> Newcomers:
        """Return a context in which each of these clusters, or all, gets a node more when asked for."""
        return Newcomers(self, clusters or self.members.joined)

    def leavers(self, *clusters: str) -> Leavers:
        """Return a context in which each of these clusters, or all, loses its last worker when asked for."""
        names = clusters or self.members.joined
        return Leavers(self, [(name, last_worker(self.topology.cluster(name))) for name in names])

    @property
    def reports(self) -> Observability:
        """What gateways report of round trips, paths and counts, beside what is seen of them."""
        return Observability(self)

    def agent_restarts(self) -> dict[str, int]:
        """Return how often each container of an agent has been restarted."""
        return {
            f"{api.name}/{pod['metadata']['name']}/{state['name']}": int(state.get("restartCount", 0))
            for api in self.apis.values()
            for pod in api.items("/api/v1/pods")
            if pod["metadata"]["namespace"] not in SYSTEM_NAMESPACES
            for state in pod.get("status", {}).get("containerStatuses") or []
        }

    def returned(self, cluster: str) -> None:
        """Let a cluster that departed join again; wait for nothing."""
        self._departures.pop(cluster, None)
        self.members.join(cluster)

    def succeeded(self, name: str, *, by: str) -> None:
        """Let a cluster that departed join under the id of another that departed; wait for nothing."""
        succeed(self, name, by=by)

    def remains(self, predecessor: str, *members: str) -> list[str]:
        """Return whatever these members and the broker hold that names a range of a cluster that departed."""
        return remains(self, predecessor, *members)

    def rejoined(self, cluster: str) -> None:
        """Let a member leave and join again; wait for nothing."""
        self.members.leave(cluster)
        self.members.join(cluster)

    def _leave(self, cluster: str) -> Departure:
        known, named = self.still_known(cluster), self.still_named_on_nodes(cluster)
        return Departure(tuple(known), tuple(named), self.members.leave(cluster))

    def _await_connected(self) -> None:
        await_connected(self)
        facts = self._tunnels() if Capability.NODE_STATE in self.ground.capabilities else {}
        self.run.emit(LabFacts(topology=self.topology.name, facts=facts, seconds=0.0))
