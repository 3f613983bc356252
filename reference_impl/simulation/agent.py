"""A gateway agent without its waiting: election, exchange, publication, membership, and a kernel that outlives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from reference_impl.agents.last import Last
from reference_impl.agents.views import MembershipView
from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.connections import decide_all
from reference_impl.planner.exchange import ExchangeFacts, Side, WriteVerb, plan_exchange
from reference_impl.planner.pacing import Pace
from reference_impl.protocols.election import Action, Election, ElectionTimings, LeaseRecord, Role
from reference_impl.protocols.mirror import Mirror
from reference_impl.protocols.object_codec import cluster_spec, endpoint_spec
from reference_impl.protocols.objects import endpoint_name
from reference_impl.simulation.reader import Reader
from reference_impl.simulation.server import RefusedError, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.agents.settings import Settings
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.exchange import Write
    from reference_impl.planner.membership import Membership
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.protocols.policy import Decision
    from reference_impl.simulation.server import Object
    from reference_impl.simulation.weather import Weather
    from reference_impl.state import IPNetwork

    Kernel: TypeAlias = Mapping[IPNetwork, str]
    """Which member each programmed prefix leads to."""

KINDS = ("Cluster", "Endpoint")
POLICY = "ClusterConnectionPolicy"
LEASE = "gateway"
_SETTLE = 0.05
_PERIOD = 2.0


class KilledError(Exception):
    """SIGKILL."""


@dataclass(frozen=True, slots=True)
class Defects:
    """What is done instead, to prove that invariants can fail."""

    mirror: Callable[[], Mirror] = Mirror
    membership: Callable[[Membership, tuple[Endpoint, ...]], Membership] = lambda planned, _: planned
    """Takes every readable Endpoint beside what was planned."""
    decisions: Callable[[Mapping[str, Decision]], Mapping[str, Decision]] = lambda decisions: decisions
    timings: ElectionTimings = field(default_factory=ElectionTimings)


@dataclass(slots=True, eq=False)
class Agent:
    """One gateway node of a member, and the agent on it."""

    settings: Settings
    endpoint: Endpoint
    """What it publishes while it is active."""
    drivers: DriverSet
    servers: Mapping[Side, Server]
    weather: Weather
    defects: Defects
    kernel: Kernel = field(default_factory=dict)
    programmed: Callable[[Agent], None] = lambda _agent: None
    """Told whenever the kernel was changed."""
    alive: bool = False
    left: bool = False
    """The member has left: what is restarted must not come back."""
    _life: int = 0
    _election: Election | None = None
    _readers: dict[tuple[Side, str], Reader] = field(default_factory=dict)
    _pace: Pace = field(default_factory=Pace)
    _view: MembershipView = field(init=False)
    _planned: Membership | None = None
    """What the kernel was programmed with in this life."""
    _plans: Mapping[str, Last[ExchangeFacts, tuple[Write, ...]]] = field(default_factory=dict)
    _decisions: Last[object, Mapping[str, Decision]] = field(default_factory=Last)
    _woken: bool = False
    _done: object = None

    @property
    def name(self) -> str:
        """Return ``cluster/node``."""
        return f"{self.settings.cluster.cluster_id}/{self.settings.node}"

    @property
    def role(self) -> Role:
        """Return what the election says now."""
        return self._election.role(self._now) if self._election is not None and self.alive else Role.UNKNOWN

    @property
    def _now(self) -> float:
        return self.weather.clock.now

    def start(self) -> None:
        """Start from nothing but the kernel and the APIs."""
        if self.alive or self.left:
            return
        self.alive, self._done, self._woken, self._pace = True, None, False, Pace()
        self._planned = None
        self._life += 1
        self._view, self._decisions = MembershipView(self.settings), Last()
        self._plans = {kind: Last() for kind in KINDS}
        self._election = Election(self.settings.node, self.defects.timings)
        wanted = [(side, kind) for side in Side for kind in KINDS] + [(Side.BROKER, POLICY)]
        self._readers = {(side, kind): self._reader(side, kind) for side, kind in wanted}
        for reader in self._readers.values():
            reader.start()
        self._run_for_lease(self._life)
        self._look(self._life)

    def kill(self) -> None:
        """End at once. What is programmed stays."""
        self.alive = False
        self._life += 1
        for reader in self._readers.values():
            reader.close()

    def _reader(self, side: Side, kind: str) -> Reader:
        reaches = (lambda: True) if side is Side.MEMBER else self._reaches_broker
        return Reader(self.servers[side], kind, self.weather, reaches, self.wake, self.defects.mirror())

    def _reaches_broker(self) -> bool:
        return self.settings.cluster.cluster_id not in self.weather.cut

    def wake(self) -> None:
        """Look soon."""
        if self.alive and not self._woken:
            self._woken = True
            life = self._life
            self.weather.clock.after(_SETTLE, lambda: self._step(life))

    def _look(self, life: int) -> None:
        """Look now and then without a cause."""
        if life == self._life:
            self.wake()
            self.weather.clock.after(_PERIOD, lambda: self._look(life))

    def _run_for_lease(self, life: int) -> None:
        if life != self._life or self._election is None:
            return
        before = self.role
        try:
            self.weather.request()
            self._try(self._election)
        except RefusedError:
            pass
        if self.role is not before:
            self.wake()
        again = self._election.timings.retry * self.weather.random.uniform(0.9, 1.1)
        self.weather.clock.after(again, lambda: self._run_for_lease(life))

    def _try(self, election: Election) -> None:
        server = self.servers[Side.MEMBER]
        found = server.get("Lease", LEASE)
        action = election.observe(_record(found) if found is not None else None, self._now)
        if action is Action.WAIT:
            return
        spec = {"holderIdentity": election.identity, "renewTime": f"{self._now:.3f}"}
        metadata: Object = dict(found["metadata"]) if found is not None else {"name": LEASE}
        lease: Object = {"kind": "Lease", "metadata": metadata, "spec": spec}
        written = server.create("Lease", lease) if found is None else server.replace("Lease", lease)
        if not self.weather.happens(self.weather.now.unanswered):
            election.written(_record(written), self._now)

    def _step(self, life: int) -> None:
        """Make one step: packets first, then words."""
        if life != self._life:
            return
        self._woken = False
        role = self.role
        member = [self._readers[Side.MEMBER, kind] for kind in KINDS]
        if role is Role.UNKNOWN or not all(reader.mirror.synced for reader in member):
            return
        asked = (role, *(reader.revision for reader in self._readers.values()))
        if asked == self._done:
            return
        if role is Role.PASSIVE:
            self._planned = None
            self._program({})
            self._done = asked
            return
        try:
            self._lead(member)
            self._done = asked
        except RefusedError:
            self._done = None
        except KilledError:
            self.kill()

    def _lead(self, member: list[Reader]) -> None:
        clusters, endpoints = (reader.items for reader in member)
        planned, readable = self._view.read(self.drivers, (), clusters, endpoints)
        if planned is not self._planned:
            membership = self.defects.membership(planned, readable)
            self._program({prefix: peer.cluster_id for peer in membership.peers for prefix in peer.subnets})
            self._planned = planned
        self._publish()
        self._share()

    def _program(self, kernel: Kernel) -> None:
        if kernel != self.kernel:
            self.kernel = kernel
            self.programmed(self)

    def _publish(self) -> None:
        own = self.settings.cluster
        self._keep("Cluster", own.cluster_id, cluster_spec(own))
        self._keep("Endpoint", endpoint_name(own.cluster_id, self.endpoint.private_ip), endpoint_spec(self.endpoint))

    def _keep(self, kind: str, name: str, spec: Object) -> None:
        known = self._readers[Side.MEMBER, kind].mirror.items
        found = known.get(name)
        if found is None:
            metadata: Object = {"name": name, "namespace": MEMBER_NAMESPACE}
            obj: Object = {"apiVersion": "submariner.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
            self._write(Side.MEMBER, WriteVerb.CREATE, obj)
        elif found["spec"] != spec:
            self._write(Side.MEMBER, WriteVerb.REPLACE, {**found, "spec": spec})
        for obj in tuple(known.values()):
            if obj["metadata"]["name"] != name and CLUSTER_ID_LABEL not in (obj["metadata"].get("labels") or {}):
                self._write(Side.MEMBER, WriteVerb.DELETE, obj)

    def _share(self) -> None:
        broker = {kind: self._readers[Side.BROKER, kind] for kind in (*KINDS, POLICY)}
        if not all(reader.mirror.synced for reader in broker.values()):
            return
        own_id = self.settings.cluster.cluster_id
        asked = (own_id, broker["Cluster"].items, broker[POLICY].items, broker["Endpoint"].items)
        decisions = self._decisions.answer(asked, lambda: decide_all(*asked))
        for kind in KINDS:
            facts = ExchangeFacts(
                own_id=own_id,
                member_namespace=MEMBER_NAMESPACE,
                broker_namespace=BROKER_NAMESPACE,
                member=self._readers[Side.MEMBER, kind].items,
                broker=broker[kind].items,
                decisions=self.defects.decisions(decisions),
            )
            for write in self._plans[kind].answer(facts, partial(plan_exchange, facts)):
                key = write.side, kind, write.obj["metadata"]["name"]
                if write.verb is not WriteVerb.REPLACE or self._pace.may(key, self._now):
                    self._write(write.side, write.verb, write.obj)
        if (seconds := self._pace.due(self._now)) is not None:
            self._done = None
            self.weather.clock.after(seconds, self.wake)

    def _write(self, side: Side, verb: WriteVerb, obj: Object) -> None:
        """Carry out one write. What is about one object (409, 404) keeps no other from its turn."""
        server, kind = self.servers[side], str(obj["kind"])
        try:
            self.weather.request(side is Side.MEMBER or self._reaches_broker())
            match verb:
                case WriteVerb.CREATE:
                    server.create(kind, obj)
                case WriteVerb.REPLACE:
                    server.replace(kind, obj)
                case WriteVerb.DELETE:
                    server.delete(kind, str(obj["metadata"]["name"]))
        except RefusedError as error:
            if error.code not in (404, 409):
                raise
            self.weather.clock.after(1.0, self._again)
            return
        if self.weather.happens(self.weather.now.killed):
            raise KilledError
        if self.weather.happens(self.weather.now.unanswered):
            raise RefusedError(0)

    def _again(self) -> None:
        self._done = None
        self.wake()


def _record(lease: Object) -> LeaseRecord:
    spec = lease["spec"]
    return LeaseRecord(holder=str(spec["holderIdentity"]), renewed=str(spec["renewTime"]))
