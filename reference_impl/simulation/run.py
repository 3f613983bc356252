"""Run a schedule and check what must hold: at every change, and once the storm is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from reference_impl.agents.views import MembershipView
from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.connections import decide_all
from reference_impl.planner.exchange import ExchangeFacts, Side, plan_exchange
from reference_impl.protocols.election import Role
from reference_impl.simulation.agent import KINDS, POLICY, Defects
from reference_impl.simulation.cluster_set import ClusterSet
from reference_impl.simulation.schedule import STORM

if TYPE_CHECKING:
    from reference_impl.simulation.agent import Agent, Kernel
    from reference_impl.simulation.cluster_set import Member
    from reference_impl.simulation.schedule import Schedule
    from reference_impl.simulation.server import Object

SETTLED = STORM + 90.0
"""Seconds until all must have converged: the storm, cuts that outlast it, a lease, two lists, and paced writes."""
REST = 15.0
"""Seconds after that in which nobody writes anything but Leases."""
_MOST = 5


@dataclass(slots=True)
class Outcome:
    """What came of one run."""

    violations: list[str] = field(default_factory=list)
    """The first few."""
    steps: int = 0
    writes: int = 0
    programmed: int = 0
    """Changes of kernels."""

    def violated(self, at: float, what: str) -> None:
        """Note a violation."""
        if len(self.violations) < _MOST:
            self.violations.append(f"{at:.3f} s: {what}")


def run(schedule: Schedule, defects: Defects | None = None) -> Outcome:
    """Run one schedule to its end. The same schedule gives the same outcome."""
    outcome = Outcome()
    watch = _Watch(schedule, outcome)
    world = ClusterSet(schedule, defects or Defects(), watch.programmed, watch.delivered)
    watch.world = world
    world.clock.run(SETTLED)
    for line in unsettled(world):
        outcome.violated(world.clock.now, line)
    writes, kernels = _writes(world), outcome.programmed
    world.clock.run(SETTLED + REST)
    if (more := _writes(world) - writes) or outcome.programmed != kernels:
        changes = outcome.programmed - kernels
        outcome.violated(world.clock.now, f"at rest {more} objects were written and {changes} kernels changed")
    outcome.steps, outcome.writes = world.clock.steps, _writes(world)
    return outcome


def _writes(world: ClusterSet) -> int:
    return world.broker.writes + sum(member.api.writes for member in world.members)


class _Watch:
    """Looks at every change."""

    def __init__(self, schedule: Schedule, outcome: Outcome) -> None:
        self._outcome = outcome
        self._forbidden = {frozenset((f"c{one}", f"c{other}")) for one, other in schedule.forbidden}
        self.world: ClusterSet | None = None

    def programmed(self, member: Member, agent: Agent) -> None:
        """Look at a kernel, and at who may program one."""
        self._outcome.programmed += 1
        for line in (*overlaps(member, agent.kernel), *self._strangers(member, agent.kernel)):
            self._violated(f"{agent.name}: {line}")
        active = [each.name for each in member.agents if each.role is Role.ACTIVE]
        if len(active) > 1:
            self._violated(f"{' and '.join(active)} are active at once")

    def delivered(self, member: Member, kind: str, obj: Object | None) -> None:
        """Look at what a member is told."""
        owner = (obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL, "") if obj is not None else ""
        if kind == "Endpoint" and frozenset((member.name, owner)) in self._forbidden:
            self._violated(f"{member.name} was told the Endpoint of {owner}, which a policy forbids")

    def _strangers(self, member: Member, kernel: Kernel) -> list[str]:
        found = {name for name in kernel.values() if frozenset((member.name, name)) in self._forbidden}
        return [f"{name} is programmed, which a policy forbids" for name in sorted(found)]

    def _violated(self, what: str) -> None:
        self._outcome.violated(self.world.clock.now if self.world is not None else 0.0, what)


def overlaps(member: Member, kernel: Kernel) -> list[str]:
    """Return what in a kernel shares addresses with what leads elsewhere, or with the member's own."""
    claims = [(prefix, name) for prefix, name in kernel.items()]
    claims += [(prefix, member.name) for prefix in member.cluster.used]
    ordered = sorted(claims, key=lambda claim: (int(claim[0].network_address), claim[0].prefixlen))
    return [
        f"{one} of {owner} and {other} of {another} overlap"
        for (one, owner), (other, another) in pairwise(ordered)
        if owner != another and one.overlaps(other)
    ]


def unsettled(world: ClusterSet) -> list[str]:
    """Return what is not as it is planned from complete facts."""
    lines = _broker_differs(world)
    for member in world.members:
        if not member.present:
            continue
        active = [agent for agent in member.agents if agent.role is Role.ACTIVE]
        if len(active) != 1:
            lines.append(f"{member.name} has {len(active)} active gateways")
            continue
        if active[0].kernel != (wanted := planned(world, member, active[0])):
            lines.append(f"{active[0].name} has {_text(active[0].kernel)} instead of {_text(wanted)}")
        others = [agent for agent in member.agents if agent not in active]
        lines += [f"{agent.name} is passive and routes" for agent in others if agent.kernel]
    return lines


def planned(world: ClusterSet, member: Member, agent: Agent) -> Kernel:
    """Return what a member should program, from what really is at the broker."""
    broker = {kind: tuple(world.broker.all(kind).values()) for kind in (*KINDS, POLICY)}
    decisions = decide_all(member.name, broker["Cluster"], broker[POLICY], broker["Endpoint"])
    told: dict[str, list[Object]] = {}
    for kind in KINDS:
        facts = ExchangeFacts(
            own_id=member.name,
            member_namespace=MEMBER_NAMESPACE,
            broker_namespace=BROKER_NAMESPACE,
            member=(),
            broker=broker[kind],
            decisions=decisions,
        )
        told[kind] = [write.obj for write in plan_exchange(facts) if write.side is Side.MEMBER]
    clusters, endpoints = (tuple(told[kind]) for kind in KINDS)
    membership, _ = MembershipView(agent.settings).read(agent.drivers, (), clusters, endpoints)
    return {prefix: peer.cluster_id for peer in membership.peers for prefix in peer.subnets}


def _broker_differs(world: ClusterSet) -> list[str]:
    """Return whose objects at the broker are not one Cluster and the active gateway's Endpoint."""
    lines = []
    for member in world.members:
        mine = {
            kind: [
                obj
                for obj in world.broker.all(kind).values()
                if (obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) == member.name
            ]
            for kind in KINDS
        }
        held = [obj["spec"]["hostname"] for obj in mine["Endpoint"]]
        wanted = [agent.settings.node for agent in member.agents if agent.role is Role.ACTIVE and member.present]
        if held != wanted or len(mine["Cluster"]) != len(wanted):
            lines.append(f"the broker has Endpoints {held} of {member.name} instead of {wanted}")
    return lines


def _text(kernel: Kernel) -> str:
    return ", ".join(f"{prefix} to {name}" for prefix, name in sorted(kernel.items(), key=str)) or "nothing"
