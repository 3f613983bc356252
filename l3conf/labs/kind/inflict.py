"""Faults in force while a context is open: scripts in routers, in nodes and on the engine's host, and their undoing."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from l3conf.emulator.fabric.nat import new_seed
from l3conf.emulator.fabric.sites import nat_plan
from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.kind import paths, site_routers
from l3conf.labs.kind.agent_faults import agents_in
from l3conf.labs.kind.containers import host_tools_plan
from l3conf.labs.kind.naming import BROKER, OUTSIDER
from l3conf.model.faults import (
    AddressChange,
    AgentsCrashLooping,
    AgentsFrozen,
    AgentsKilled,
    Cut,
    Delay,
    LinkDown,
    Loss,
    NATRebinding,
    NATReboot,
    NodeAdded,
    NodeCrash,
    NodeRemoved,
    Path,
    RateLimit,
    ReversePathFilter,
)
from l3conf.model.public_addresses import public_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.emulator.fabric.nat import NATPlan
    from l3conf.labs.kind.ground import Ground
    from l3conf.labs.kind.machines import Machines
    from l3conf.model.faults import Fault
    from l3conf.plugin.cluster_api import ClusterAPI

_UNKNOWN_QDISC = ("qdisc kind is unknown", "not supported")
_NODE_LINK = "eth0"
"""What docker calls the first link of a container; nodes of kind have no other."""


class End(NamedTuple):
    """One end of a path between sites."""

    container: str
    network: str
    link: str


@dataclass(slots=True)
class Faults:
    """The faults of one lab."""

    ground: Ground
    machines: Machines
    open_api: Callable[[str], ClusterAPI]
    _nats: dict[str, NATPlan] = field(default_factory=dict)
    """As they are now, where that is not as they were made."""
    _standing: set[tuple[str, ...]] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _has_host_tools: bool = False

    @contextmanager
    def in_force(self, fault: Fault) -> Iterator[None]:
        """Let a fault be in force.

        ``LabError`` if it cannot be, ``LabIncapableError`` if no ground of docker has it.
        """
        target = self._target(fault)
        if target in self._standing:
            raise LabError(f"{target[0]} is in force there already", where=" ".join(target[1:]), remedy="end it first")
        self._standing.add(target)
        try:
            with self._begun(fault):
                yield
        finally:
            self._standing.discard(target)

    def _begun(self, fault: Fault) -> AbstractContextManager[None]:  # noqa: PLR0911 - one a kind of fault
        match fault:
            case Cut() | Loss() | RateLimit() | Delay():
                return self._on_path(fault)
            case NATRebinding() | NATReboot() | AddressChange():
                return self._on_nat(fault)
            case LinkDown():
                return self._link_down(fault)
            case ReversePathFilter():
                return self._reverse_path_filter(fault)
            case AgentsKilled() | AgentsFrozen() | AgentsCrashLooping():
                return agents_in(fault, self.ground.engine, self.open_api)
            case NodeCrash():
                return self.machines.crashed(fault)
            case NodeAdded():
                return self.machines.added(fault)
            case NodeRemoved():
                return self.machines.removed(fault)
            case _:
                raise LabIncapableError(f"the kind lab has no {type(fault).__name__}")

    @contextmanager
    def _on_path(self, fault: Cut | Loss | RateLimit | Delay) -> Iterator[None]:
        sender, receiver = self._end(fault.source), self._end(fault.destination)
        if sender == receiver:
            raise LabError("both sites are behind one address", where=f"{fault.source} to {fault.destination}")
        if isinstance(fault, Delay):
            script, at = paths.at_sender(fault, receiver=self._mac(receiver), link=sender.link), sender
        else:
            table = f"l3conf-fault{next(self._numbers)}"
            script, at = paths.at_receiver(fault, sender=self._mac(sender), table=table), receiver
        self._begin(at.container, script)
        try:
            yield
        finally:
            self.ground.engine.sh(at.container, script.end)

    def _begin(self, container: str, script: paths.Script) -> None:
        try:
            self.ground.engine.sh(container, script.begin)
        except LabError as error:
            if any(words in error.what for words in _UNKNOWN_QDISC):
                raise LabIncapableError(f"the engine's kernel cannot delay packets: {error.what}") from error
            raise

    @contextmanager
    def _on_nat(self, fault: NATRebinding | NATReboot | AddressChange) -> Iterator[None]:
        plan, router = self._nat(fault.site), self.ground.names.router(fault.site)
        engine = self.ground.engine
        match fault:
            case NATRebinding():
                self._load(fault.site, replace(plan, seed=new_seed()))
                yield
            case NATReboot():
                engine.sh(router, paths.dark().begin)
                try:
                    yield
                finally:
                    self._load(fault.site, replace(plan, seed=new_seed()))
                    engine.sh(router, paths.dark().end)
            case AddressChange():
                self._move(fault.site, replace(plan, public=fault.address))
                try:
                    yield
                finally:
                    self._move(fault.site, plan)

    def _move(self, site: str, after: NATPlan) -> None:
        before = self._nat(site).public
        router = self.ground.routers[site]
        length = next(
            length
            for address, length in zip(router.uplinks, router.uplink_lengths, strict=True)
            if address.version == 4  # noqa: PLR2004
        )
        ways = "\n".join(way.command() for way in router.ways)
        self.ground.engine.sh(router.name, paths.readdress(before, after.public, length, ways))
        self._load(site, after)

    def _load(self, site: str, plan: NATPlan) -> None:
        self.ground.engine.sh(self.ground.names.router(site), paths.rebind(plan))
        self._nats[site] = plan

    def _nat(self, site: str) -> NATPlan:
        if site in self._nats:
            return self._nats[site]
        topology = self.machines.topology
        plan = nat_plan(topology, topology.cluster(site))
        if plan is None:
            raise LabError("the site has no NAT of its own", where=site)
        return plan

    @contextmanager
    def _link_down(self, fault: LinkDown) -> Iterator[None]:
        """Take the carrier from a node: its cable's other end is on the engine's host, and is ours as the node is."""
        tools = host_tools_plan(self.ground.names, self.ground.node_image)
        if not self._has_host_tools:
            self.ground.engine.run(tools)
            self._has_host_tools = True
        index = int(self.ground.engine.sh(fault.node, f"cat /sys/class/net/{_NODE_LINK}/iflink"))
        link = self.ground.engine.sh(tools.name, f"ip -o link | sed -n 's/^{index}: \\([^:@]*\\).*/\\1/p'").strip()
        if not link.startswith("veth"):
            raise LabIncapableError(f"the other end of the node's link is not on the engine's host: {link!r}")
        self.ground.engine.sh(tools.name, f"ip link set {link} down")
        try:
            yield
        finally:
            self.ground.engine.sh(tools.name, f"ip link set {link} up")

    @contextmanager
    def _reverse_path_filter(self, fault: ReversePathFilter) -> Iterator[None]:
        before = self.ground.engine.sh(fault.node, paths.reverse_path_filter(fault.mode))
        try:
            yield
        finally:
            self.ground.engine.sh(fault.node, paths.reverse_path_filter_back(before, fault.mode))

    def _end(self, site: str) -> End:
        names, topology = self.ground.names, self.machines.topology
        if site in {cluster.name for cluster in topology.clusters}:
            owner = public_cluster(topology, topology.cluster(site))
            return End(names.router(owner.name), names.wan, site_routers.WAN_LINK)
        if site == BROKER:
            return End(f"{names.broker}-control-plane", names.wan, _NODE_LINK)
        if site == OUTSIDER:
            return End(names.outsider, names.wan, _NODE_LINK)
        raise LabError("there is no such site", where=site)

    def _mac(self, end: End) -> str:
        found = self.ground.engine.inspect(end.container)["NetworkSettings"]["Networks"].get(end.network) or {}
        if not found.get("MacAddress"):
            raise LabError(f"docker knows no address of it on {end.network}", where=end.container)
        return str(found["MacAddress"])

    def _target(self, fault: Fault) -> tuple[str, ...]:
        """Return what a fault is done to; two of the same target would undo each other."""
        kind = type(fault).__name__
        if isinstance(fault, Delay):
            return (kind, self._end(fault.source).container)  # one queue a link
        if isinstance(fault, Path):
            return (kind, self._end(fault.source).container, self._end(fault.destination).container)
        if isinstance(fault, NATRebinding | NATReboot | AddressChange):
            return ("change of NAT", fault.site)
        if isinstance(fault, NodeAdded):
            return (kind, fault.cluster, fault.node or str(next(self._numbers)))
        return (kind, *(str(getattr(fault, name, "")) for name in ("cluster", "node")))
