"""A set of members in memory: packets, status and objects are what a test says."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.bench.members import Member
from l3conf.bench.topology import THREE_TO_SOAK
from l3conf.continuity import FlowRecord, Series
from l3conf.observation import Observation, Outcome
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.continuity import NumberedFlow
    from l3conf.observation import Probe
    from l3conf.soak.changes import State

TOPOLOGY = load_topology(THREE_TO_SOAK)
_SENT = 100


@dataclass
class FakeAPI:
    """Collections by the end of their path."""

    collections: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def items(self, path: str) -> list[dict[str, Any]]:
        return self.collections.get(path.rsplit("/", maxsplit=1)[-1], [])


class FakeReader:
    """Flows of which some lost packets."""

    def __init__(self, flows: Sequence[NumberedFlow], lost: dict[str, int]) -> None:
        self._flows, self._lost = flows, lost

    def stop(self) -> None:
        """Nothing runs."""

    def __call__(self) -> list[FlowRecord]:
        sent = tuple(range(_SENT))
        times = tuple(number / 100 for number in sent)

        def record(flow: NumberedFlow) -> FlowRecord:
            kept = _SENT - self._lost.get(flow.source, 0)
            gone = range(10, 10 + _SENT - kept)
            arrived = tuple(number for number in sent if number not in gone)
            received = Series(arrived, tuple(number / 100 for number in arrived))
            return FlowRecord(flow=flow, emitted=Series(sent, times), received=received, ended=1.0)

        return [record(flow) for flow in self._flows]


@dataclass
class FakeLab:
    """Pairs by place and address that reach each other beside those of one cluster."""

    reach: set[tuple[str, str]]
    lost: dict[str, int] = field(default_factory=dict)
    """By place of the sender."""

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        return [
            Observation(
                probe=each,
                outcome=Outcome.DELIVERED if (each.source, str(each.destination)) in self.reach else Outcome.TIMEOUT,
            )
            for each in probes
        ]

    @contextmanager
    def flows(self, flows: Sequence[NumberedFlow]) -> Iterator[FakeReader]:
        yield FakeReader(flows, self.lost)


class FakeMembers:
    """What a set looks like that is as a state says."""

    def __init__(self, state: State) -> None:
        self.topology = TOPOLOGY
        self.lab = FakeLab(set())
        self.apis = {cluster.name: FakeAPI() for cluster in TOPOLOGY.clusters}
        self.broker = FakeAPI()
        self.become(state)

    def pods(self, cluster: str) -> list[Member]:
        number = [each.name for each in TOPOLOGY.clusters].index(cluster) + 1
        return [
            Member(cluster, node.name, f"{cluster}/l3conf-probes/probe-{node.name}", ip_address(f"10.{number}.{at}.5"))
            for at, node in enumerate(TOPOLOGY.cluster(cluster).nodes)
        ]

    def worker_pod(self, cluster: str) -> Member:
        return self.pods(cluster)[-1]

    def become(self, state: State) -> None:
        """Be whole, in a state."""
        everybody = [pod for cluster in TOPOLOGY.clusters for pod in self.pods(cluster.name)]
        self.lab.reach = {
            (one.place, str(other.address))
            for one in everybody
            for other in everybody
            if one.cluster == other.cluster or state.connects(one.cluster, other.cluster)
        }
        specs = [{"spec": {"cluster_id": name}} for name in sorted(state.members)]
        self.broker.collections = {"clusters": list(specs), "endpoints": list(specs)}
        for cluster in TOPOLOGY.clusters:
            peers = state.peers(cluster.name)
            told = [{"endpoint": {"cluster_id": peer}, "status": "connected"} for peer in sorted(peers)]
            first = cluster.gateway_nodes[0].name
            status = {"haStatus": "active", "connections": told}
            self.apis[cluster.name].collections = {"gateways": [{"metadata": {"name": first}, "status": status}]}
