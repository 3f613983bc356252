"""A lab in memory, right or wrong on request: the ground on which the suite itself is tested.

It has the places of every topology (a probe pod and a host per node, the outsider) and one Service per cluster,
and answers probes as clusters would whose connectivity conforms. ``wrong`` breaks one thing for as long as it is
open. There is no Kubernetes API in it: who needs objects brings a fake of those.
"""

from __future__ import annotations

import enum
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.labs.base import Capability, ClusterAccess
from l3conf.labs.fake_captures import FakeCaptures
from l3conf.labs.fake_flows import FakeFlow, FakeReader, Fate
from l3conf.labs.fake_nodes import changed
from l3conf.labs.fake_translation import FakeTranslation
from l3conf.model.addressing import OUTSIDER_OFFSET, host, node_addresses, place_addresses, pod_ranges, wan_addresses
from l3conf.model.faults import Cut, Loss
from l3conf.observation import Observation, Outcome, Probe, Protocol, Sighting
from l3conf.probes import wire
from l3conf.probes.manifests import NAMESPACE, probe_manifests
from l3conf.probes.packets import udp_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from l3conf.continuity import NumberedFlow
    from l3conf.labs.base import FlowReader
    from l3conf.model.faults import Fault
    from l3conf.model.topology import IPAddress, Topology

OUTSIDER = "@outsider"
PORT = 7100
TUNNEL_MTU = 1450
"""What fits between two clusters; 1500 does elsewhere."""
_HEADERS = 28
_POD_OFFSET = 2
_SERVICE_OFFSET = 100


class Wrong(enum.Enum):
    """What can be broken."""

    LOST = "the query is lost on its way"
    ANSWER_LOST = "the receiver sees the query, but its answer is lost"
    CORRUPTED = "the payload arrives changed"
    TRANSLATED = "the source is rewritten to an address of nobody"
    MISDELIVERED = "another server answers"
    DECOYED = "a pod of the sender's cluster that has the address of the server gets what is for it"
    REFUSED = "an error message comes back in place of an answer"
    BLACK_HOLE = "what is too big vanishes without a word"
    ADMITTED = "what must not arrive does: unconnected clusters, forged sources"
    DEAF = "the receiver answers, but keeps no record of what it saw"
    DEAD = "the receiver does not run: no answer, and nobody to ask for sightings"
    NOT_EMITTED = "the sender's kernel has no route"
    HARNESS = "the probe could not be sent at all"
    DOUBLED = "packets of numbered flows arrive twice"
    OVERTAKEN = "packets of numbered flows arrive after their successors"
    SILENT = "senders of numbered flows emit nothing, and nobody stopped them"
    OVERFLOWN = "receivers of numbered flows do not keep up"
    READABLE = "tunnels do not encrypt"
    GREEDY = "tunnels take what nobody owns"
    UNCAPTURED = "captures see no tunnel"
    UNMARKED = "the traffic class is cleared on the way"
    BLIND = "captures see nothing"


_FATES = {
    Wrong.LOST: Fate.LOST,
    Wrong.DEAF: Fate.LOST,
    Wrong.DEAD: Fate.LOST,
    Wrong.NOT_EMITTED: Fate.REFUSED,
    Wrong.DOUBLED: Fate.DOUBLED,
    Wrong.OVERTAKEN: Fate.OVERTAKEN,
    Wrong.SILENT: Fate.LEFT_OUT,
    Wrong.OVERFLOWN: Fate.OVERFLOWS,
}


@dataclass(frozen=True, slots=True)
class Host:
    """What is at one place."""

    addresses: tuple[IPAddress, ...]
    cluster: str = ""
    node: str = ""
    is_pod: bool = False


class FakeLab:
    """An in-memory ``labs.base.Lab``."""

    kind = "fake"
    namespace = NAMESPACE

    def __init__(self, topology: Topology, *, seed: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` is the clock by which numbered flows run."""
        self.topology = topology
        self.capabilities = frozenset(Capability)
        self.clusters: Mapping[str, ClusterAccess] = {c.name: _access(c.name) for c in topology.clusters}
        self.broker = _access("broker")
        self.hosts = dict(_hosts(topology))
        self.services = {c.name: tuple(host(r, _SERVICE_OFFSET) for r in c.service_cidrs) for c in topology.clusters}
        """ClusterIPs of the Service over each cluster's probe pods."""
        self.joined = set(self.clusters)
        """Clusters that are connected with one another; change it at will."""
        self.states: dict[tuple[str, str], dict[str, object]] = {}
        """What ``node_state`` answers, by cluster and node."""
        self.commands: dict[tuple[str, ...], tuple[int, str, str]] = {}
        """What ``run`` answers, by argv."""
        self._wrongs: list[tuple[Wrong, Callable[[Probe], bool]]] = []
        self.faults: list[Fault] = []
        """Faults in force."""
        self.injected: list[tuple[str, bytes]] = []
        """Packets that were injected, with the place each left from."""
        self._cuts: list[tuple[str, str]] = []
        self._now = now
        self._flows: list[FakeFlow] = []
        self._seen: list[Sighting] = []
        self._random = random.Random(seed)  # noqa: S311 - which backend answers
        self._captures = FakeCaptures(self._random, now)
        self.translation = FakeTranslation(topology)

    @contextmanager
    def wrong(self, what: Wrong, when: Callable[[Probe], bool] = lambda _: True) -> Iterator[None]:
        """Break one thing for the probes that ``when`` picks."""
        entry = (what, when)
        self._advance()
        self._wrongs.append(entry)
        try:
            yield
        finally:
            self._advance()
            self._wrongs.remove(entry)

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        """Answer each probe as conforming clusters would, but for what is wrong."""
        return [self._answer(probe, frozenset(what for what, when in self._wrongs if when(probe))) for probe in probes]

    def probe_in_background(self, probes: Sequence[Probe]) -> Callable[[], list[Observation]]:
        """Answer when asked: what is wrong then is what silence met."""
        return lambda: self.probe(probes)

    def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what a place saw."""
        if place not in self.hosts or self._is_wrong(Wrong.DEAD):
            raise LabError("nothing listens here", where=place)
        return [each for each in self._seen if each.place == place and each.nonce in nonces]

    @contextmanager
    def flows(self, flows: Sequence[NumberedFlow]) -> Iterator[FlowReader]:
        """Run numbered flows by this lab's clock."""
        running = [FakeFlow(flow, self._now()) for flow in flows]
        self._flows += running
        try:
            yield FakeReader(running, self._advance)
        finally:
            self._flows = [flow for flow in self._flows if flow not in running]

    @contextmanager
    def cut(self, source: str, destination: str) -> Iterator[None]:
        """Drop everything from one site to another."""
        self._advance()
        self._cuts.append((source, destination))
        try:
            yield
        finally:
            self._advance()
            self._cuts.remove((source, destination))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Have a fault in force: cuts and losses meet probes, nodes come and go; of all others, a record is kept."""
        self._advance()
        self.faults.append(fault)
        before, self.topology = self.topology, changed(self.topology, fault)
        self.hosts = dict(_hosts(self.topology))
        try:
            yield
        finally:
            self._advance()
            self.faults.remove(fault)
            self.topology, self.hosts = before, dict(_hosts(before))

    def inject(self, place: str, packets: Sequence[bytes]) -> None:
        """Keep a record of packets in ``injected``."""
        if place not in self.hosts:
            raise LabError("there is no such place", where=place)
        self.injected += [(place, packet) for packet in packets]
        self._captures.blind = self._is_wrong(Wrong.BLIND)
        for packet in packets if place == OUTSIDER else ():
            self._captures.saw(packet)

    def _advance(self) -> None:
        """Decide on all packets of flows that were due until now."""
        for flow in self._flows:
            flow.advance(self._now(), self._fate)

    def _is_wrong(self, what: Wrong) -> bool:
        return any(wrong is what for wrong, _ in self._wrongs)

    def _fate(self, flow: NumberedFlow) -> Fate:
        probe = Probe(source=flow.source, destination=flow.destination, port=flow.port, size=flow.size)
        wrongs = frozenset(what for what, when in self._wrongs if when(probe))
        for wrong, fate in _FATES.items():
            if wrong in wrongs:
                return fate
        place = self._receiver(flow.source, flow.destination, wrongs)
        arrives = place in flow.receivers and self._arrives(probe, place, wrongs)
        return Fate.ARRIVES if arrives else Fate.LOST

    def _is_lost(self, source: str, destination: str) -> bool:
        """Say whether what goes from one site to another is lost this time."""
        shares = [
            fault.share if isinstance(fault, Loss) else 1.0
            for fault in self.faults
            if isinstance(fault, Cut | Loss) and (fault.source, fault.destination) == (source, destination)
        ]
        return (source, destination) in self._cuts or any(self._random.random() < share for share in shares)

    def workload(self, cluster: str) -> list[dict[str, Any]]:
        """Return what an emulated lab would be given; there is no API to apply it to."""
        return probe_manifests(self.topology.cluster(cluster))

    def addresses(self, place: str) -> tuple[IPAddress, ...]:
        """Return what the topology gives a node or the outsider."""
        return place_addresses(self.topology, place)

    def describe(self) -> Mapping[str, str]:
        """Say that nothing here is real."""
        return {"lab": "fake: no packets"}

    def capture(self, where: str) -> AbstractContextManager[Path]:
        """Capture on the WAN: what the outsider injects, and a tunnel's packet for each query between clusters."""
        if where != "wan":
            raise LabError("a fake lab captures on the WAN only", where=where)
        return self._captures.running()

    def node_state(self, cluster: str, node: str) -> Mapping[str, object]:
        """Return what the test has put into ``states``."""
        return dict(self.states.get((cluster, node), {}))

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Return what the test has put into ``commands``."""
        del timeout
        if tuple(argv) not in self.commands:
            raise LabError(f"no answer is prepared for {' '.join(argv)}", where=place)
        return self.commands[tuple(argv)]

    def close(self) -> None:
        """Forget everything that was seen."""
        self._seen.clear()

    def _answer(self, probe: Probe, wrongs: frozenset[Wrong]) -> Observation:
        seen = Observation(probe=probe, outcome=Outcome.TIMEOUT, nonce=self._random.randbytes(8).hex())
        if probe.source not in self.hosts or Wrong.HARNESS in wrongs:
            return replace(seen, outcome=Outcome.HARNESS_ERROR, detail=f"no place {probe.source!r} here")
        if Wrong.NOT_EMITTED in wrongs:
            return replace(seen, outcome=Outcome.NO_ROUTE)
        place = self._receiver(probe.source, probe.destination, wrongs)
        if place is None and Wrong.GREEDY in wrongs:
            here, there = (node_addresses(cluster, 0)[0] for cluster in self.topology.clusters[:2])
            self._captures.saw_tunnel(here, there, bytes(probe.size + _HEADERS), readable=False)
        if place is None or wrongs & {Wrong.LOST, Wrong.DEAD} or not self._arrives(probe, place, wrongs):
            return seen
        if (error := self._error(seen, place, wrongs)) is not None:
            return error
        return self._delivery(seen, place, wrongs)

    def _delivery(self, seen: Observation, place: str, wrongs: frozenset[Wrong]) -> Observation:
        probe, sender, receiver = seen.probe, self.hosts[seen.probe.source], self.hosts[place]
        if Wrong.MISDELIVERED in wrongs:
            place = next(name for name in self.hosts if name not in (place, probe.source))
        source = probe.forged_source or self._source(probe, place)
        if Wrong.TRANSLATED in wrongs:
            source = host(self.topology.wan_cidrs[0], self.topology.wan_cidrs[0].num_addresses - 2)
        if (
            sender.cluster
            and receiver.cluster
            and sender.cluster != receiver.cluster
            and Wrong.UNCAPTURED not in wrongs
        ):
            self._tunnelled(seen, place, source, wrongs)
        if Wrong.DEAF not in wrongs:
            when = time.monotonic()
            self._seen.append(
                Sighting(
                    place=place,
                    nonce=seen.nonce,
                    source=source,
                    protocol=probe.protocol,
                    time=when,
                    traffic_class=0 if Wrong.UNMARKED in wrongs else probe.traffic_class or 0,
                )
            )
        if probe.forged_source or Wrong.ANSWER_LOST in wrongs or self._is_lost(receiver.cluster, sender.cluster):
            return seen
        outcome = Outcome.CORRUPTED if Wrong.CORRUPTED in wrongs else Outcome.DELIVERED
        if probe.protocol is Protocol.ICMP:
            return replace(seen, outcome=outcome, rtt=0.001)
        return replace(seen, outcome=outcome, rtt=0.001, seen_as=source, responder=place)

    def _tunnelled(self, seen: Observation, place: str, source: IPAddress, wrongs: frozenset[Wrong]) -> None:
        """Let captures see the packet between gateways that carries a query."""
        probe, receiver = seen.probe, self.hosts[place]
        payload = wire.encode_query(bytes.fromhex(seen.nonce), probe.size)
        inner = udp_packet(source, probe.destination, PORT, payload, ttl=None)
        here, there = (self.topology.cluster(end.cluster) for end in (self.hosts[probe.source], receiver))
        self._captures.saw_tunnel(
            node_addresses(here, 0)[0], node_addresses(there, 0)[0], inner, readable=Wrong.READABLE in wrongs
        )

    def _error(self, seen: Observation, place: str, wrongs: frozenset[Wrong]) -> Observation | None:
        """Return the error message that a probe provokes, if it does."""
        probe, sender = seen.probe, self.hosts[seen.probe.source]
        node = self.hosts.get(f"{sender.cluster}@{sender.node}", sender)
        if probe.ttl == 1 and node is not sender and self.hosts[place].node != sender.node:
            return replace(seen, outcome=Outcome.TTL_EXCEEDED, reporter=node.addresses[0])
        mtu = TUNNEL_MTU if self.hosts[place].cluster != sender.cluster else 1500
        if probe.dont_fragment and probe.size + _HEADERS > mtu:
            if Wrong.BLACK_HOLE in wrongs:
                return seen
            return replace(seen, outcome=Outcome.TOO_BIG, reporter=node.addresses[0], mtu=mtu)
        if Wrong.REFUSED in wrongs or (probe.protocol is not Protocol.ICMP and probe.port != PORT):
            return replace(seen, outcome=Outcome.REFUSED, reporter=probe.destination)
        return None

    def _arrives(self, probe: Probe, place: str, wrongs: frozenset[Wrong]) -> bool:
        sender, receiver = self.hosts[probe.source], self.hosts[place]
        if self._is_lost(sender.cluster, receiver.cluster):
            return False
        if Wrong.ADMITTED in wrongs or sender.cluster == receiver.cluster:
            return True
        if probe.forged_source is not None:
            return not any(probe.forged_source in r for c in self.topology.clusters for r in c.pod_cidrs)
        if not receiver.is_pod or not sender.cluster:
            return True
        leads_there = self.translation.leads_to(receiver.cluster, probe.destination)
        return leads_there and {sender.cluster, receiver.cluster} <= self.joined

    def _receiver(self, source: str, destination: IPAddress, wrongs: frozenset[Wrong]) -> str | None:
        """Return who has an address, seen from a place: where clusters have the same ranges, somebody of its own."""
        near = self.hosts[source].cluster
        behind = self.translation.places.get(destination)
        if behind:
            place = self._random.choice(behind)
            addresses = self.hosts[place].addresses if Wrong.DECOYED in wrongs else ()
            decoys = (name for name, each in self.hosts.items() if each.cluster == near and each.addresses == addresses)
            return next(decoys, place)
        owners = [cluster for cluster, addresses in self.services.items() if destination in addresses]
        if owners:
            cluster = near if near in owners else owners[0]
            return self._random.choice([name for name, each in self.hosts.items() if _is_pod_of(each, cluster)])
        found = [name for name, each in self.hosts.items() if destination in each.addresses]
        return min(found, key=lambda name: self.hosts[name].cluster != near, default=None)

    def _source(self, probe: Probe, place: str) -> IPAddress:
        """Return the client's address as the server sees it: the node's where the network plugin masquerades."""
        sender, receiver = self.hosts[probe.source], self.hosts[place]
        if sender.is_pod and not receiver.is_pod and sender.node != receiver.node:
            sender = self.hosts[f"{sender.cluster}@{sender.node}"]
        own = next(each for each in sender.addresses if each.version == probe.destination.version)
        crosses = receiver.cluster and sender.cluster != receiver.cluster
        return self.translation.source(probe.source, own) if crosses else own


def _is_pod_of(host_: Host, cluster: str) -> bool:
    return host_.is_pod and host_.cluster == cluster


def _hosts(topology: Topology) -> Iterator[tuple[str, Host]]:
    for cluster in topology.clusters:
        for number, node in cluster.numbered_nodes:
            yield f"{cluster.name}@{node.name}", Host(node_addresses(cluster, number), cluster.name, node.name)
            pods = tuple(host(slice_, _POD_OFFSET) for slice_ in pod_ranges(cluster, number))
            name = f"{cluster.name}/{NAMESPACE}/probe-{node.name}"
            yield name, Host(pods, cluster.name, node.name, is_pod=True)
    yield OUTSIDER, Host(wan_addresses(topology, OUTSIDER_OFFSET))


def _access(name: str) -> ClusterAccess:
    return ClusterAccess(name=name, kubeconfig=Path("/nonexistent") / name)
