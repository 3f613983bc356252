"""The fabric itself: builds a plan in the kernel, adds and removes pods, cuts paths, and lets go of everything.

All namespaces are held by descriptor in this process; nothing has a name outside it. Methods are synchronous
and quick, and are called from one thread; only ``load_ruleset`` may be called from any.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from l3conf.emulator.fabric import faults
from l3conf.emulator.fabric.creation import Creation
from l3conf.emulator.fabric.encode import additions, configuration, removals
from l3conf.emulator.fabric.hardware import KernelHardware
from l3conf.emulator.fabric.network_cards import fit_card
from l3conf.emulator.fabric.plan import WAN, node_key, plan_fabric
from l3conf.emulator.fabric.pod_wiring import PodRequest, PodWiring
from l3conf.emulator.fabric.refusals import explained, gone_already
from l3conf.emulator.fabric.sites import cloud_filter
from l3conf.emulator.fabric.sysctls import SysctlWriter
from l3conf.emulator.kernel import nftables
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.errors import LabError
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from l3conf.emulator.fabric.elements import FabricPlan
    from l3conf.emulator.fabric.hardware import Hardware
    from l3conf.model.topology import IPAddress, Topology

_LISTEN_BACKLOG = 128


class Fabric:
    """A running fabric. Build it with ``Fabric.build``; keys are those of ``plan``."""

    def __init__(self, topology: Topology, hardware: Hardware) -> None:
        self.topology = topology
        self.plan = hardware.arranged(plan_fabric(topology))
        self._hardware = hardware
        self._namespaces: dict[str, NetworkNamespace] = {}
        self._cuts: set[tuple[str, str]] = set()
        self._unplugged: set[str] = set()
        self._sysctls = SysctlWriter()
        self._pods = PodWiring(self._sysctls)

    @classmethod
    def build(cls, topology: Topology, hardware: Hardware | None = None) -> Self:
        """Build everything but pods. Raises ``MissingPrerequisiteError`` where the kernel lacks a capability.

        ``hardware`` makes namespaces, bridges and cables, and belongs to the fabric then; None: the kernel alone.
        """
        fabric = cls(topology, hardware or KernelHardware())
        try:
            with explained():
                fabric._build()
        except BaseException:
            fabric.close()
            raise
        return fabric

    def _build(self) -> None:
        plans = self.plan.namespaces.values()
        with Creation(self._sysctls, self._namespaces, self._hardware.namespace) as creation:
            creation.create(plans)
            for plan in plans:  # a cable needs both namespaces, a route needs its cable
                self._hardware.wire(plan, creation.route(plan.key), self._namespaces)
            for plan in plans:
                creation.execute(plan.key, configuration(plan))
        for cluster in self.topology.clusters:
            for number, node in cluster.numbered_nodes:
                key = node_key(cluster.name, node.name)
                self._fit_card(cluster.name, self._namespaces[key], key)
                self._pods.adopt_node(key, self._namespaces[key], cluster, number)

    def namespace(self, key: str) -> NetworkNamespace:
        """Return the namespace of a key, still owned by the fabric. ``LabError`` if there is none."""
        try:
            return self._namespaces[key]
        except KeyError:
            raise LabError(f"the fabric has no {key!r}; it has {', '.join(self._namespaces)}") from None

    def unplug_node(self, cluster: str, node: str) -> None:
        """Take a node's uplink away, both ends of it: whatever runs there neither sends nor hears any more."""
        key = node_key(cluster, node)
        lan = self.plan.lans[cluster]
        with RouteSocket(self.namespace(lan)) as route:
            self._hardware.unplug(lan, self.plan.uplink(cluster, key), route)
        self._unplugged.add(key)

    def boot_node(self, cluster: str, node: str) -> None:
        """Give an unplugged node without pods another kernel: as it was built, and nothing of what it had since."""
        key, made = node_key(cluster, node), dict[str, NetworkNamespace]()
        with explained():
            self._make_node(cluster, key, made)
        self._pods.move_node(key, made[key])
        self._namespaces[key].close()
        self._namespaces[key] = made[key]
        self._unplugged.discard(key)

    def _make_node(self, cluster: str, key: str, made: dict[str, NetworkNamespace]) -> None:
        """Make a node's namespace as planned, and plug it into its LAN."""
        plan, lan = self.plan.namespaces[key], self.plan.lans[cluster]
        with Creation(self._sysctls, made, self._hardware.namespace) as creation:
            creation.create([plan])
            with RouteSocket(self.namespace(lan)) as route:
                self._hardware.plug(lan, self.plan.uplink(cluster, key), route, made[key])
            self._hardware.wire(plan, creation.route(key), made)
            creation.execute(key, configuration(plan))
        self._fit_card(cluster, made[key], key)

    def _fit_card(self, cluster: str, node: NetworkNamespace, key: str) -> None:
        fit_card(self.plan.uplink(cluster, key), lan=self.namespace(self.plan.lans[cluster]), node=node)

    def change_nodes(self, topology: Topology) -> None:
        """Become the fabric of a topology that differs in nodes alone.

        Nodes that come are built and plugged in; those that go must have been unplugged. Everybody else gets and loses
        what routers and network plugins keep for each node, and is not touched beyond that.
        """
        before, self.topology = self.plan, topology
        self.plan = self._hardware.arranged(plan_fabric(topology))
        with explained():
            for cluster in topology.clusters:
                for number, node in cluster.numbered_nodes:
                    key = node_key(cluster.name, node.name)
                    if key not in before.namespaces:
                        self._make_node(cluster.name, key, self._namespaces)
                        self._pods.adopt_node(key, self._namespaces[key], cluster, number)
            for key in before.namespaces.keys() - self.plan.namespaces.keys():
                self._pods.drop_node(key)
                self._namespaces.pop(key).close()
                self._hardware.discard(key)
                self._unplugged.discard(key)
            self._follow(before)

    def _follow(self, before: FabricPlan) -> None:
        """Bring everybody who stays from one plan to this one; who has no power boots with it."""
        for key, plan in self.plan.namespaces.items():
            old = before.namespaces.get(key, plan)
            if old != plan and key not in self._unplugged:
                with RouteSocket(self._namespaces[key]) as route:
                    route.execute(additions(old, plan))
                    for request in removals(old, plan):
                        with gone_already():
                            route.execute([request])
        for cluster in self.topology.clusters:
            if text := cloud_filter(self.topology, cluster):
                self.load_ruleset(self.plan.lans[cluster.name], text)

    def add_pod(self, cluster: str, node: str, uid: str) -> tuple[NetworkNamespace, tuple[IPAddress, ...]]:
        """Connect a pod: its namespace, owned by the fabric, and its addresses. Idempotent per uid."""
        return self.add_pods([PodRequest(cluster, node, uid)])[0]

    def add_pods(self, requests: Sequence[PodRequest]) -> list[tuple[NetworkNamespace, tuple[IPAddress, ...]]]:
        """Connect many pods, with one send per node and one per pod; answers in the order of requests."""
        with explained():
            return self._pods.add(requests)

    def remove_pod(self, uid: str) -> None:
        """Disconnect a pod at once and let go of its namespace. Idempotent."""
        self._pods.remove(uid)

    def listen(self, key: str, address: IPAddress, port: int) -> socket.socket:
        """Return a TCP socket in a namespace: bound, listening, non-blocking."""
        family = socket.AF_INET if IPFamily.of(address) is IPFamily.IPV4 else socket.AF_INET6
        listener = self.namespace(key).socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((str(address), port))
            listener.listen(_LISTEN_BACKLOG)
            listener.settimeout(0)
        except OSError as error:
            listener.close()
            raise LabError(f"cannot listen on {address}:{port}: {error.strerror}", where=key) from error
        return listener

    def load_ruleset(self, key: str, text: str) -> None:
        """Load nftables text into a namespace, atomically; may block for some 20 ms. Any thread may call.

        Raises ``kernel.nftables.RulesetError``, a ``LabError``, if it is refused.
        """
        nftables.load_ruleset(self.namespace(key), text)

    async def load_ruleset_async(self, key: str, text: str) -> None:
        """Load nftables text into a namespace without holding up the event loop."""
        await asyncio.to_thread(self.load_ruleset, key, text)

    async def load_pod_ruleset_async(self, uid: str, text: str) -> None:
        """Load nftables text into a pod's namespace likewise. ``LabError`` if there is no such pod."""
        await asyncio.to_thread(nftables.load_ruleset, self._pods.namespace(uid), text)

    def cut(self, source_site: str, destination_site: str) -> None:
        """Drop everything that one site sends to the other from now on, established flows too. Idempotent.

        A site is a cluster's name, ``broker`` or ``outsider``. The other direction stays as it is.
        """
        pair = self.ports(source_site, destination_site)
        if pair not in self._cuts:
            self.load_ruleset(WAN, faults.cut(*pair))
            self._cuts.add(pair)

    def heal(self, source_site: str, destination_site: str) -> None:
        """Undo ``cut``. Idempotent."""
        pair = self.ports(source_site, destination_site)
        if pair in self._cuts:
            self.load_ruleset(WAN, faults.heal(*pair))
            self._cuts.discard(pair)

    def is_cut(self, ports: tuple[str, str]) -> bool:
        """Say whether the way from one port of the WAN to another is cut."""
        return ports in self._cuts

    def ports(self, source_site: str, destination_site: str) -> tuple[str, str]:
        """Return the WAN's bridge ports of two sites. ``LabError`` names the sites if one is unknown."""
        ports = self.plan.wan_ports
        for site in (source_site, destination_site):
            if site not in ports:
                raise LabError(f"there is no site {site!r} on the WAN; there is {', '.join(ports)}")
        if ports[source_site] == ports[destination_site]:
            what = f"{source_site} and {destination_site} do not meet on the WAN: their public address is the same"
            raise LabError(what, remedy="choose sites with addresses of their own")
        return ports[source_site], ports[destination_site]

    def close(self) -> None:
        """Let go of everything; the kernel takes it down in its own time. Idempotent."""
        self._pods.close()
        for namespace in self._namespaces.values():
            namespace.close()
        self._namespaces.clear()
        self._hardware.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
