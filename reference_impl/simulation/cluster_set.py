"""A cluster set in virtual time: a broker, members with two gateway nodes each, and what befalls them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.agents.settings import Settings
from reference_impl.names import CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.exchange import Side
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.objects import Cluster, Endpoint, cable_name
from reference_impl.simulation.agent import KINDS, POLICY, Agent, Defects
from reference_impl.simulation.clock import Clock
from reference_impl.simulation.schedule import STORM, What
from reference_impl.simulation.server import Server
from reference_impl.simulation.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.simulation.schedule import Disturbance, Schedule
    from reference_impl.simulation.server import Object

GATEWAYS = 2
_BACK_OFF = (0.5, 5.0)
"""Seconds until a kubelet has restarted what died."""
_REJOINS_AFTER = 3.0


@dataclass(slots=True, eq=False)
class Member:
    """One cluster."""

    number: int
    name: str
    api: Server
    agents: list[Agent]
    cluster: Cluster
    present: bool = True
    incarnation: int = 0


@dataclass(slots=True)
class ClusterSet:
    """Everything of one run."""

    schedule: Schedule
    defects: Defects
    programmed: Callable[[Member, Agent], None]
    """Told whenever a kernel was changed."""
    delivered: Callable[[Member, str, Object | None], None]
    """Told whenever an object in a member's API was changed."""
    clock: Clock = field(default_factory=Clock)
    broker: Server = field(init=False)
    weather: Weather = field(init=False)
    members: list[Member] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(f"weather of {self.schedule.seed}")  # noqa: S311 - to be replayed
        self.broker = Server(self.clock)
        self.weather = Weather(self.clock, chance, self.schedule.chances, STORM)
        self._policies()
        self.members = [self._member(number) for number in range(self.schedule.members)]
        for member in self.members:
            self.clock.after(chance.uniform(0, 10), lambda member=member: self._start(member))  # type: ignore[misc]
        for disturbance in self.schedule.disturbances:
            self.clock.after(disturbance.at, lambda event=disturbance: self._befall(event))  # type: ignore[misc]

    def _policies(self) -> None:
        if not self.schedule.forbidden:
            return
        everybody: Object = {"left": {}, "right": {}, "action": "Connect"}
        self.broker.create(POLICY, _policy("everybody", everybody))
        for one, other in sorted(self.schedule.forbidden):
            self._isolate(one, other, "for-ever")
        self.broker.forget_past()

    def _isolate(self, one: int, other: int, why: str) -> None:
        name = f"{why}-{one}-{other}"
        sides = {side: {"matchLabels": {CLUSTER_ID_LABEL: f"c{n}"}} for side, n in (("left", one), ("right", other))}
        if self.broker.get(POLICY, name) is None:
            self.broker.create(POLICY, _policy(name, {**sides, "action": "Isolate"}))

    def _member(self, number: int) -> Member:
        member = Member(number, f"c{number}", Server(self.clock), [], _cluster(number, self.schedule.ranges[number]))
        self._equip(member)
        return member

    def _equip(self, member: Member) -> None:
        """Give a member an API without objects, and agents that were never started."""
        member.api = Server(self.clock, changed=lambda kind, _name, obj: self.delivered(member, kind, obj))
        member.agents = [self._agent(member, index) for index in range(GATEWAYS)]

    def _agent(self, member: Member, index: int) -> Agent:
        node, address = f"{member.name}-{index}", ip_address(f"172.16.{member.number}.{10 + index}")
        return Agent(
            settings=Settings(node=node, namespace=MEMBER_NAMESPACE, cluster=member.cluster),
            endpoint=Endpoint(
                cluster_id=member.name,
                cable_name=cable_name(member.name, address),
                hostname=node,
                subnets=member.cluster.prefixes,
                private_ip=address,
            ),
            drivers=DriverSet((VXLANCables(),)),
            servers={Side.MEMBER: member.api, Side.BROKER: self.broker},
            weather=self.weather,
            defects=self.defects,
            programmed=lambda agent: self.programmed(member, agent),
        )

    def _start(self, member: Member) -> None:
        """Start the agents, and be the kubelet that keeps them running."""
        incarnation = member.incarnation

        def keep() -> None:
            if member.present and member.incarnation == incarnation:
                for agent in member.agents:
                    agent.start()
                self.clock.after(self.weather.random.uniform(*_BACK_OFF), keep)

        keep()

    def _befall(self, event: Disturbance) -> None:
        member = self.members[event.member]
        match event.what:
            case What.KILL:
                for agent in member.agents:
                    agent.kill()
            case What.CUT:
                self.weather.cut.add(member.name)
                self.clock.after(event.seconds, lambda: self.weather.cut.discard(member.name))
            case What.LEAVE:
                self._leave(member)
            case What.REJOIN:
                self._leave(member)
                self.clock.after(_REJOINS_AFTER, lambda: self._join(member, event.ranges))
            case What.ISOLATE:
                self._isolate(event.member, event.other, "for-a-while")
            case What.CONNECT:
                for name in [name for name in self.broker.all(POLICY) if name.startswith("for-a-while")]:
                    if str(event.member) in name.split("-")[3:]:
                        self.broker.delete(POLICY, name)

    def _leave(self, member: Member) -> None:
        """Do what the hook does: end the agents, then take their objects from the broker; kernels are cleared."""
        member.present = False
        for agent in member.agents:
            agent.left = True
            agent.kill()
            agent.kernel = {}
        for kind in KINDS:
            for name, obj in tuple(self.broker.all(kind).items()):
                if (obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) == member.name:
                    self.broker.delete(kind, name)

    def _join(self, member: Member, ranges: int) -> None:
        if member.present:
            return
        member.present, member.incarnation = True, member.incarnation + 1
        member.cluster = _cluster(member.number, ranges)
        self._equip(member)
        self._start(member)


def _cluster(number: int, ranges: int) -> Cluster:
    return Cluster(
        cluster_id=f"c{number}",
        pod_cidrs=(ip_network(f"10.{ranges}.0.0/16"),),
        service_cidrs=(ip_network(f"10.{100 + ranges}.0.0/16"),),
    )


def _policy(name: str, spec: Object) -> Object:
    return {"apiVersion": "l3conf.io/v1alpha1", "kind": POLICY, "metadata": {"name": name}, "spec": spec}
