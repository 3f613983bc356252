"""A lab that can be disturbed from outside: faults, and what operators write on nodes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.model.faults import AgentsFrozen, AgentsKilled, ReversePathFilter
from l3conf.plugin.family_block import blocked, ruleset
from l3conf.plugin.furnished import FurnishedLab
from l3conf.plugin.node_annotations import PREFIX, annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.model.api_faults import APIFault
    from l3conf.model.faults import Fault
    from l3conf.model.topology import IPFamily

AGENTS = "system:serviceaccount:*"
"""Users that are agents of some kind."""


@dataclass(slots=True, repr=False)
class DisturbedLab(FurnishedLab):
    """A lab in which things go wrong for as long as a context is open."""

    @contextmanager
    def cut(self, source: str, destination: str) -> Iterator[None]:
        """Drop everything from one site to another, this direction only, while the context is open."""
        with self.ground.cut(source, destination):
            self.run.note(f"cut: {source} -> {destination}")
            yield
        self.run.note(f"healed: {source} -> {destination}")

    @contextmanager
    def reverse_path_filter(self, mode: int) -> Iterator[None]:
        """Set rp_filter of all links of all nodes, from outside, while the context is open."""
        with ExitStack() as stack:
            for node in self.nodes:
                fault = ReversePathFilter(cluster=node.site.cluster, node=node.site.node, mode=mode)
                stack.enter_context(self.ground.fault(fault))
            self.run.note(f"rp_filter is {mode} on all nodes")
            yield

    def forget_neighbours(self) -> None:
        """Make all nodes forget what they learnt of their neighbours on the LAN."""
        for node in self.nodes:
            code, _, err = self.ground.run(node.place, ["ip", "-6", "neigh", "flush", "nud", "all"], timeout=5.0)
            if code != 0:
                raise LabError(f"ip neigh flush failed: {err.strip()}", where=node.place)

    @contextmanager
    def family_blocked(self, source: str, destination: str, family: IPFamily) -> Iterator[None]:
        """Drop one family of what one cluster's pods send to another, there, while the context is open."""
        gateways = [node for node in self.nodes if node.site.cluster == destination and node.is_gateway]
        with blocked(self.ground, gateways, ruleset(self.topology.cluster(source), family)):
            self.run.note(f"blocked: {family.value} of {source} at {destination}")
            yield
        self.run.note(f"no longer blocked: {family.value} of {source} at {destination}")

    @contextmanager
    def without_broker(self, *members: str) -> Iterator[None]:
        """Let nothing pass between the broker and these members, either way, while the context is open."""
        with ExitStack() as cuts:
            for member in members:
                cuts.enter_context(self.cut(member, "broker"))
                cuts.enter_context(self.cut("broker", member))
            yield

    @contextmanager
    def vanished(self, cluster: str) -> Iterator[None]:
        """Have a cluster fall silent towards everybody while the context is open: nodes, gateways and API server."""
        sites = [each.name for each in self.topology.clusters if each.name != cluster]
        with ExitStack() as cuts:
            for other in (*sites, "broker"):
                cuts.enter_context(self.ground.cut(cluster, other))
                cuts.enter_context(self.ground.cut(other, cluster))
            self.run.note(f"{cluster} has vanished")
            yield
        self.run.note(f"{cluster} is there again")

    @contextmanager
    def agents_frozen(self, cluster: str) -> Iterator[None]:
        """Have the agents on a cluster's gateway nodes do nothing while the context is open, as if they were dead."""
        with ExitStack() as faults:
            for node in self.topology.cluster(cluster).gateway_nodes:
                faults.enter_context(self.ground.fault(AgentsFrozen(cluster=cluster, node=node.name)))
            self.run.note(f"frozen: agents on the gateway nodes of {cluster}")
            yield
        self.run.note(f"thawed: agents on the gateway nodes of {cluster}")

    def kill_agents(self, cluster: str) -> None:
        """Kill the agents on every node of a cluster; its kubelets restart them."""
        for node in self.topology.cluster(cluster).nodes:
            with self.ground.fault(AgentsKilled(cluster=cluster, node=node.name)):
                self.run.note(f"killed: agents on {cluster}@{node.name}")

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let a fault of the ground be in force while the context is open (``l3conf.model.faults``)."""
        with self.ground.fault(fault):
            self.run.note(f"begins: {fault}")
            yield
        self.run.note(f"over: {fault}")

    @contextmanager
    def apis_in_trouble(self, *troubles: Callable[..., APIFault]) -> Iterator[None]:
        """Have every API server, the broker's too, treat all agents so while the context is open.

        A trouble is a fault that lacks nothing but server and client. Agents are whoever is a ServiceAccount: neither
        the suite nor an administrator's hooks meet any of it.
        """
        with ExitStack() as stack:
            for server in (*self.apis, "broker"):
                for trouble in troubles:
                    stack.enter_context(self.ground.fault(trouble(cluster=server, user=AGENTS)))
            self.run.note(f"APIs in trouble: {len(troubles)} faults each")
            yield
        self.run.note("APIs are well again")

    @contextmanager
    def annotated(self, cluster: str, settings: Mapping[str, str]) -> Iterator[None]:
        """Write settings ``gateway.submariner.io/…`` on a cluster's first gateway node while the context is open."""
        node = self.topology.cluster(cluster).gateway_nodes[0].name
        wanted = {PREFIX + name: value for name, value in settings.items()}
        before = annotate(self.apis[cluster], node, wanted)
        self.run.note(f"annotated {cluster}@{node}: {settings}")
        try:
            yield
        finally:
            annotate(self.apis[cluster], node, before)
