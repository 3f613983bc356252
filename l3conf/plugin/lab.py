"""A lab with an implementation in it, as scenarios see it."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from l3conf import oracle
from l3conf.expectations.flow import Flow
from l3conf.expectations.idle import IdleConnections
from l3conf.expectations.places import NAMESPACE
from l3conf.observation import ORDINARY, Protocol
from l3conf.plugin import (
    cables,
    exchange,
    gateways,
    local_traffic,
    mismatch,
    residue,
    traversal,
)
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.formation import watch_formation
from l3conf.plugin.gateways import CONNECTED, connections, status_in
from l3conf.plugin.identity import IdentityTrials
from l3conf.plugin.intrusion import watch_intrusion
from l3conf.plugin.inventory import installed_objects
from l3conf.plugin.member_account import confidential, open_account
from l3conf.plugin.observability import Observability
from l3conf.plugin.outage import watch_loss, watch_outage
from l3conf.plugin.phantoms import Phantoms
from l3conf.plugin.silence import watch_restart, watch_silence
from l3conf.plugin.stages import Once
from l3conf.plugin.status_watch import StatusWatch
from l3conf.plugin.tunnel_rules import MAY_OMIT_CHECKSUMS, overhead
from l3conf.report.events import LabFacts
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.capture.packets import Packet
    from l3conf.expectations import Node, Pod
    from l3conf.expectations.wan import WanCapture
    from l3conf.model.topology import IPAddress, IPFamily
    from l3conf.oracle import Table
    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.formation import Formation
    from l3conf.plugin.furnished import Snapshot
    from l3conf.plugin.gateways import Connection
    from l3conf.plugin.intrusion import Intrusion
    from l3conf.plugin.member_account import MemberAccount
    from l3conf.plugin.membership import Membership
    from l3conf.plugin.outage import Outage
    from l3conf.plugin.silence import Restart, Silence

_MOST_LINES = 12
"""Lines of a finding that a message shows."""
_ENOUGH = 4
"""Recorded messages that are worth repeating: a request and a reply in both directions."""


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
class Lab(IdentityTrials):
    """A cluster set under test. Made by the fixtures ``lab``, ``fresh_lab`` and ``installed_lab``."""

    members: Membership
    before: Snapshot = field(init=False)
    """As it was before anything of the implementation was installed."""
    connected: Once[None] = field(init=False)
    """Waits once until packets cross; everyone who needs that shares the outcome."""
    removed: Once[float] = field(init=False)
    """Removes the implementation everywhere; the moment at which the hook had ended."""
    _outages: dict[tuple[str, str], Once[Outage]] = field(init=False, default_factory=dict)
    _accounts: dict[str, MemberAccount] = field(init=False, default_factory=dict)
    _revocations: dict[str, Once[float]] = field(init=False, default_factory=dict)
    _idle: dict[IPFamily, IdleConnections] = field(init=False, default_factory=dict)
    _departures: dict[str, Once[Departure]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self.snapshot()
        self.connected = Once(self._await_connected)
        self.removed = Once(self.members.remove)

    @property
    def joined_at(self) -> float:
        """``time.monotonic`` when the last join hook had ended."""
        return self.members.joined_at

    def expected(self, family: IPFamily | None = None) -> Table:
        """Return who must reach whom now, seen as whom; in one family, or in all."""
        features = self.run.implementation.features
        table = oracle.expected(self.topology, joined=self.members.joined, features=features)
        return {cell: want for cell, want in table.items() if family in {None, cell.family}}

    def outage(self, source: str, destination: str) -> Outage:
        """Cut one direction until it is reported, heal it, and return the two timelines. Done once a direction."""
        key = (source, destination)
        if key not in self._outages:
            self._outages[key] = Once(lambda: watch_outage(self, source, destination))
        return self._outages[key]()

    def idle_connections(self, family: IPFamily) -> IdleConnections:
        """Return connections between pods off the gateways that are silent for ``W_idle``; opened once a family."""
        if family not in self._idle:
            seconds = self.harness.budgets.get("W_idle")
            self._idle[family] = IdleConnections(
                self.harness,
                [
                    Flow(client=a, server=b, protocol=Protocol.TCP, family=family, idle=seconds)
                    for a, b in self.pods.workers_across(family)
                ],
            )
        return self._idle[family]

    def begin_idle_connections(self) -> None:
        """Open the connections that somebody will ask for at the end."""
        for family in self.families:
            self.idle_connections(family)

    def formed_again(self, member: str, *, cut: tuple[str, str] | None = None) -> Formation:
        """Let a member leave and join again, with one direction cut for a while, and return what was said."""
        return watch_formation(self, member, cut)

    def watched(self, *clusters: str) -> StatusWatch:
        """Return a watch over what these clusters, or all members, say while its context is open."""
        return StatusWatch(self, clusters or self.members.joined)

    def silenced(self, cluster: str, peer: str) -> Silence:
        """Freeze the agents of a cluster until nobody can believe its status any more, and let them go on."""
        return watch_silence(self, cluster, peer)

    def restarted(self, *clusters: str) -> Restart:
        """Kill all agents of these clusters and return when their status was fresh and connected again."""
        return watch_restart(self, clusters)

    def underlay_lost(self, one: str, other: str, window: str) -> Outage:
        """Cut both directions between two clusters for a window of the table, and return the two timelines."""
        return watch_loss(self, one, other, self.harness.budgets.get(window))

    def phantoms(self) -> Phantoms:
        """Return a context in which members that do not exist may join and leave at the broker."""
        backends = [obj["spec"].get("backend", "") for obj in self.broker.items(f"{GROUP}/endpoints")]
        return Phantoms(self.broker, next(iter(backends), ""))

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

    def joined_under(self, cluster: str, name: str) -> Intrusion:
        """Let a cluster that is no member join under the name of one that is, and watch for ``W_steady``."""
        return watch_intrusion(self, cluster, name)

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

    @property
    def reports(self) -> Observability:
        """What gateways report of round trips, paths and counts, beside what is seen of them."""
        return Observability(self)

    # What members know of each other.

    def mismatches_not_said(self) -> list[str]:
        """Return the pairs without a common cable driver of which one does not say so."""
        return mismatch.not_said(self, self.members.joined)

    def mismatches_that_change(self) -> list[str]:
        """Watch pairs without a common cable driver for ``W_steady``; return those whose status does not stay."""
        return mismatch.changes(self, self.members.joined)

    def not_agreed(self) -> list[str]:
        """Return the pairs of members that do not say the same of the connection between them."""
        return gateways.not_agreed(
            {member: self.apis[member].items(f"{GROUP}/gateways") for member in self.members.joined}
        )

    def not_said(self, status: Mapping[IPFamily, bool]) -> list[str]:
        """Return a line for every connection that is not reported, a family, as connected or as not connected."""
        return [
            f"{member} says {found or 'nothing'} of {peer} in {family.value}, which is {'up' if up else 'down'}"
            for member, peer in itertools.permutations(self.members.joined, 2)
            for family, up in status.items()
            for found in [status_in(self.apis[member].items(f"{GROUP}/gateways"), peer, family)]
            if (found == CONNECTED) != up
        ]

    def not_refused(self, one: str, other: str, *, reason: str) -> list[str]:
        """Return a line for each end that reports a connection, or does not name the reason why there is none."""
        lines = []
        for member, peer in ((one, other), (other, one)):
            said = [each for each in connections(self.apis[member].items(f"{GROUP}/gateways")) if each.peer == peer]
            if not said or any(each.status == CONNECTED or reason not in each.message for each in said):
                lines.append(f"{member} says of {peer}: {'; '.join(map(str, said)) or 'nothing'}")
        return lines

    def cable_overhead(self, family: IPFamily) -> int:
        """Return the bytes that the cable drivers which the Endpoints name may add to a packet."""
        return max(overhead(backend, family) for backend in {spec.get("backend", "") for spec in self._endpoints()})

    @property
    def ports_without_checksum(self) -> frozenset[int]:
        """Ports of tunnels whose specification lets their datagrams go without checksum over IPv6."""
        return frozenset(
            int(spec.get("backend_config", {}).get("udp-port", 4500))
            for spec in self._endpoints()
            if spec.get("backend") in MAY_OMIT_CHECKSUMS
        )

    def _endpoints(self) -> list[Object]:
        """Return the specification of every Endpoint that any member has; there is one at least."""
        found = [obj["spec"] for api in self.apis.values() for obj in api.items(f"{GROUP}/endpoints")]
        if not found:
            raise AssertionError("no member has an Endpoint")
        return found

    def not_learnt(self) -> list[str]:
        """Return what members do not know of the others."""
        return [
            line
            for member in self.members.joined
            for line in exchange.not_learnt(
                member,
                [self.topology.cluster(other) for other in self.members.joined if other != member],
                self.apis[member].items(f"{GROUP}/clusters"),
                self.apis[member].items(f"{GROUP}/endpoints"),
            )
        ]

    def property_values(self, cluster: str) -> dict[str, str]:
        """Return a cluster's ClusterProperties (KEP-2149), by name."""
        return {
            obj["metadata"]["name"]: str(obj["spec"].get("value", ""))
            for version in ("v1alpha1", "v1beta1", "v1")
            for obj in self.apis[cluster].items(f"/apis/about.k8s.io/{version}/clusterproperties")
        }

    def unknown_versions(self) -> list[str]:
        """Return the members whose running version the others cannot read."""
        return [
            line
            for member in self.members.joined
            for line in exchange.unknown_version(
                member,
                self.apis[member].items(f"{GROUP}/gateways"),
                {
                    other: [
                        obj for kind in ("clusters", "endpoints") for obj in self.apis[other].items(f"{GROUP}/{kind}")
                    ]
                    for other in self._others(member)
                },
            )
        ]

    def differing_from_broker(self, *members: str) -> list[str]:
        """Return what members (all if none is named) hold of others that the broker does not, or the reverse."""
        return [
            line
            for member in members or self.members.joined
            for kind in ("clusters", "endpoints")
            for line in exchange.differences(
                member, kind, self.apis[member].items(f"{GROUP}/{kind}"), self.broker.items(f"{GROUP}/{kind}")
            )
        ]

    def agent_restarts(self) -> dict[str, int]:
        """Return how often each container of an agent has been restarted."""
        return {
            f"{api.name}/{pod['metadata']['name']}/{state['name']}": int(state.get("restartCount", 0))
            for api in self.apis.values()
            for pod in api.items("/api/v1/pods")
            if pod["metadata"]["namespace"] not in {NAMESPACE, "kube-system"}
            for state in pod.get("status", {}).get("containerStatuses") or []
        }

    def still_known(self, leaver: str) -> list[str]:
        """Return what the others, their gateways and the broker still hold of a cluster."""
        lines = []
        for holder in (*(self.apis[other] for other in self._others(leaver)), self.broker):
            kept = {kind: holder.items(f"{GROUP}/{kind}") for kind in ("clusters", "endpoints")}
            lines += exchange.still_known(holder.name, leaver, **kept)
            told = connections(holder.items(f"{GROUP}/gateways"))
            lines += [f"{holder.name} still reports {entry}" for entry in told if entry.peer == leaver]
        return lines

    def still_named_on_nodes(self, leaver: str) -> list[str]:
        """Return what the nodes of the other members hold that names a range or an address of a cluster."""
        left = self.topology.cluster(leaver)
        ranges = (*left.pod_cidrs, *left.service_cidrs, *left.node_cidrs)
        return [
            f"{place}: {line}"
            for place, state in self.node_states(*self._others(leaver)).items()
            for line in sorted({*residue.naming(state, ranges)} - {*residue.naming(self.before.nodes[place], ranges)})
        ]

    # What carries packets between clusters.

    def must_be_carried_locally(self, protocol: Protocol, family: IPFamily) -> None:
        """Skip the test unless a protocol passed inside every cluster before anything was installed.

        What kernel and network plugin do not carry there no implementation can carry between clusters.
        """
        if (protocol, family) not in self.before.carried:
            pytest.skip(f"{protocol.value} over {family.value} does not pass between pods of one cluster")

    @contextmanager
    def without_cables(self) -> Iterator[None]:
        """Hold down every link of gateway nodes that came with the implementation, while the context is open.

        Skips the test where no such link is: what cannot be taken away cannot be missed.
        """
        found = cables.links_that_came(self.before.nodes, self.node_states())
        chosen = [(node.place, link) for node in self.nodes if node.is_gateway for link in found.get(node.place, ())]
        if not chosen:
            pytest.skip("the implementation brought no link to a gateway node")
        try:
            for place, link in chosen:
                cables.set_link(self.ground, place, link, "down")
            self.run.note(f"links down: {', '.join(f'{place} {link}' for place, link in chosen)}")
            yield
        finally:
            for place, link in chosen:
                cables.set_link(self.ground, place, link, "up")

    def tunnel_device(self, node: Node, pod: Pod) -> str:
        """Return the link that came with the implementation and leads from a gateway node to a remote pod.

        Skips the test if there is none, or one with link-layer addresses: packets cannot be handed to it as they are.
        """
        device = str(self._ask(node, "route", "get", str(pod.address(self.families[0])))["dev"])
        came = cables.links_that_came(self.before.nodes, self.node_states())[node.place]
        if device not in came or self._ask(node, "link", "show", "dev", device)["link_type"] == "ether":
            pytest.skip(f"{device} on {node} is no tunnel that takes bare IP packets")
        return device

    # Where members are found.

    def connection(self, member: str, peer: str) -> Connection:
        """Return what a member's active gateway says of its connection; ``AssertionError`` if it says nothing."""
        said = gateways.latest_connections(self.apis[member].items(f"{GROUP}/gateways"))
        if peer not in said:
            raise AssertionError(f"{member} says nothing of {peer}")
        return said[peer]

    def returned(self, cluster: str) -> None:
        """Let a cluster that departed join again; wait for nothing."""
        self._departures.pop(cluster, None)
        self.members.join(cluster)

    def rejoined(self, cluster: str) -> None:
        """Let a member leave and join again; wait for nothing."""
        self.members.leave(cluster)
        self.members.join(cluster)

    def advertised_otherwise(self, cluster: str, address: IPAddress) -> list[str]:
        """Return the members that know another public address of a cluster, or none."""
        known = {member: self.apis[member].items(f"{GROUP}/endpoints") for member in self.members.joined}
        return traversal.advertised_otherwise(cluster, address, known)

    def found_elsewhere(self, cluster: str, address: IPAddress) -> list[str]:
        """Return who holds an Endpoint of a cluster with another private address than this one, or none at all."""
        known = {api.name: api.items(f"{GROUP}/endpoints") for api in (*self.apis.values(), self.broker)}
        return traversal.found_elsewhere(cluster, address, known)

    def not_using_private_path(self, one: str, other: str) -> list[str]:
        """Return which of two members say that they do not use the other's private address."""
        lines = []
        for member, peer in ((one, other), (other, one)):
            said = gateways.latest_connections(self.apis[member].items(f"{GROUP}/gateways")).get(peer)
            lines += traversal.not_private(member, said.entry if said else None)
        return lines

    @property
    def discovery_ports(self) -> frozenset[int]:
        """The UDP ports at which members offer address discovery."""
        return traversal.discovery_ports(obj for api in self.apis.values() for obj in api.items(f"{GROUP}/endpoints"))

    def recorded_discovery(self) -> tuple[Packet, ...]:
        """Return discovery messages of several members as they passed the WAN; untestable where there are none."""
        ports = self.discovery_ports
        with self.wan.capturing() as wan:

            def look() -> tuple[Packet, ...] | Pending:
                seen = traversal.of_ports(wan.packets(), ports)
                enough = len(seen) >= _ENOUGH and len({packet.source for packet in seen}) > 1
                return seen if enough else Pending(f"{len(seen)} messages of discovery passed")

            try:
                return self.harness.wait("discovery passes the WAN", look, "T_recover")
            except DeadlineMissedError as missed:
                pytest.skip(f"nothing can be repeated: {missed}")

    def outsider_repeats(self, recorded: Sequence[Packet]) -> None:
        """Let the outsider send recorded packets: as they were, from its own address, and altered."""
        self.ground.inject(self.outsider.place, traversal.repeated(recorded, self.outsider.address()))

    def diverted(self, wan: WanCapture) -> list[str]:
        """Return the packets to the outsider that are no answers of discovery."""
        return traversal.diverted(wan.packets(), self.outsider.address(), self.discovery_ports)

    # What members may do at the broker.

    def account(self, member: str) -> MemberAccount:
        """Return a member's own credential at the broker; opened once."""
        if member not in self._accounts:
            self._accounts[member] = open_account(
                member,
                self.members.accesses.get(member),
                home=self.apis[member],
                broker=self.broker,
                admin=self.ground.broker.kubeconfig,
                target=self.run.scratch / f"{self.topology.name}-{id(self)}-{member}.kubeconfig",
            )
        return self._accounts[member]

    @property
    def rivals(self) -> list[tuple[MemberAccount, str]]:
        """Every member's account with the name of every other member."""
        return [
            (self.account(member), other)
            for member in self.members.joined
            for other in self.members.joined
            if other != member
        ]

    def secrets_of(self, member: str, *, beside: str) -> dict[str, str]:
        """Return the values of a cluster's Secrets that another cluster does not have, with whose they are."""
        return confidential(self.apis[member], beside=self.apis[beside])

    # What is not as it was before the implementation.

    def changed_on_nodes(self) -> list[str]:
        """Return what differs on any node, documented residue excepted."""
        return residue.of_nodes(self.before.nodes, self.node_states(), self.run.implementation.residue)

    def changed_objects(self) -> list[str]:
        """Return the cluster-wide objects that came or went."""
        return [
            f"{api.name}: {name}"
            for api in self.every_api
            for name in sorted(installed_objects(api) ^ self.before.objects[api.name])
        ]

    def changed_local_traffic(self, family: IPFamily) -> list[str]:
        """Return the local flows of a family that differ."""
        return local_traffic.differences(self.before.local_traffic[family], self.local_traffic(family))

    def _others(self, cluster: str) -> list[str]:
        """Return the members besides a cluster; there is at least one as long as any row asks."""
        return [member for member in self.members.joined if member != cluster]

    def _leave(self, cluster: str) -> Departure:
        known, named = self.still_known(cluster), self.still_named_on_nodes(cluster)
        return Departure(tuple(known), tuple(named), self.members.leave(cluster))

    def _await_connected(self) -> None:
        """Wait until every pod reaches every pod of the other members, over every protocol.

        If that never comes, but some packets cross between all of them, the lab is good enough to ask the rows
        what exactly is missing. If nothing crosses between two members, no row has anything to say.
        """
        table = oracle.whoever_asks(oracle.across_clusters(self.expected(), oracle.Via.POD, *ORDINARY))
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
        self.run.emit(LabFacts(topology=self.topology.name, facts=self._tunnels(), seconds=0.0))

    def _tunnels(self) -> dict[str, str]:
        """Return which links have come to each gateway, by kind: a report says whose code carried the packets."""
        return {
            f"tunnels/{node.place}": ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
            for node in self.nodes
            if node.is_gateway
            and (kinds := cables.tunnel_kinds(self.ground, node.place, self.before.nodes[node.place]))
        }
