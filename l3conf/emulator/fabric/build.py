"""The fabric itself: builds a plan in the kernel, adds and removes pods, cuts paths, and lets go of everything.

All namespaces are held by descriptor in this process; nothing has a name outside it. Methods are synchronous
and quick, and are called from one thread; only ``load_ruleset`` may be called from any.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from l3conf.emulator.fabric import faults
from l3conf.emulator.fabric.creation import Creation
from l3conf.emulator.fabric.encode import configuration, connection, links, plug
from l3conf.emulator.fabric.plan import WAN, node_key, plan_fabric, router_key
from l3conf.emulator.fabric.plugins.registry import PLUGINS
from l3conf.emulator.fabric.pods import PodOffsets
from l3conf.emulator.fabric.refusals import explained
from l3conf.emulator.fabric.sysctls import SysctlWriter
from l3conf.emulator.kernel import nftables
from l3conf.emulator.kernel.links import delete_link, set_link
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.kernel.netlink import NetlinkError, RouteSocket
from l3conf.errors import LabError
from l3conf.model.addressing import pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from l3conf.emulator.fabric.elements import Cable, FabricPlan
    from l3conf.emulator.fabric.plugins.protocol import PodNetwork
    from l3conf.model.topology import ClusterSpec, IPAddress, Topology

_LISTEN_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class PodRequest:
    """A pod to connect."""

    cluster: str
    node: str
    uid: str


@dataclass(frozen=True, slots=True)
class _Pod:
    request: PodRequest
    addresses: tuple[IPAddress, ...]
    offset: int
    port_index: int


@dataclass(frozen=True, slots=True)
class _Node:
    route: RouteSocket
    cluster: ClusterSpec
    index: int
    offsets: PodOffsets


class Fabric:
    """A running fabric. Build it with ``Fabric.build``; keys are those of ``plan``."""

    def __init__(self, topology: Topology, plan: FabricPlan) -> None:
        self.topology = topology
        self.plan = plan
        self._namespaces: dict[str, NetworkNamespace] = {}
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, _Pod] = {}
        self._pod_namespaces: dict[str, NetworkNamespace] = {}
        self._cuts: set[tuple[str, str]] = set()
        self._sysctls = SysctlWriter()

    @classmethod
    def build(cls, topology: Topology) -> Self:
        """Build everything but pods. Raises ``MissingPrerequisiteError`` where the kernel lacks a capability."""
        fabric = cls(topology, plan_fabric(topology))
        try:
            with explained():
                fabric._build()
        except BaseException:
            fabric.close()
            raise
        return fabric

    def _build(self) -> None:
        plans = self.plan.namespaces.values()
        with Creation(self._sysctls, self._namespaces) as creation:
            creation.create(plans)
            for plan in plans:  # a cable needs both namespaces, a route needs its cable
                creation.execute(plan.key, links(plan, self._namespaces))
            for plan in plans:
                creation.execute(plan.key, configuration(plan))
        self._adopt_nodes()

    def _adopt_nodes(self) -> None:
        for cluster in self.topology.clusters:
            for index, node in enumerate(cluster.nodes):
                key = node_key(cluster.name, node.name)
                offsets = PodOffsets(key, pod_ranges(cluster, index))
                self._nodes[key] = _Node(RouteSocket(self._namespaces[key]), cluster, index, offsets)

    def namespace(self, key: str) -> NetworkNamespace:
        """Return the namespace of a key, still owned by the fabric. ``LabError`` if there is none."""
        try:
            return self._namespaces[key]
        except KeyError:
            raise LabError(f"the fabric has no {key!r}; it has {', '.join(self._namespaces)}") from None

    def unplug_node(self, cluster: str, node: str) -> None:
        """Take a node's uplink away, both ends of it: whatever runs there neither sends nor hears any more."""
        cable = self._uplink(cluster, node)
        with RouteSocket(self.namespace(router_key(cluster))) as route:
            route.execute([delete_link(cable.port_index)])

    def boot_node(self, cluster: str, node: str) -> None:
        """Give an unplugged node without pods another kernel: as it was built, and nothing of what it had since."""
        key = node_key(cluster, node)
        plan, made = self.plan.namespaces[key], dict[str, NetworkNamespace]()
        with explained(), Creation(self._sysctls, made) as creation:
            creation.create([plan])
            with RouteSocket(self.namespace(router_key(cluster))) as route:
                route.execute([plug(self._uplink(cluster, node), made[key])])
            creation.execute(key, [*links(plan, made), *configuration(plan)])
        before, old = self._nodes[key], self._namespaces[key]
        self._nodes[key] = replace(before, route=RouteSocket(made[key]))
        self._namespaces[key] = made[key]
        before.route.close()
        old.close()

    def _uplink(self, cluster: str, node: str) -> Cable:
        cables = self.plan.namespaces[router_key(cluster)].cables
        return next(cable for cable in cables if cable.to == node_key(cluster, node))

    def add_pod(self, cluster: str, node: str, uid: str) -> tuple[NetworkNamespace, tuple[IPAddress, ...]]:
        """Connect a pod: its namespace, owned by the fabric, and its addresses. Idempotent per uid."""
        return self.add_pods([PodRequest(cluster, node, uid)])[0]

    def add_pods(self, requests: Sequence[PodRequest]) -> list[tuple[NetworkNamespace, tuple[IPAddress, ...]]]:
        """Connect many pods, with one send per node and one per pod; answers in the order of requests."""
        with explained():
            # By uid: a pod asked for twice in one call is one pod.
            missing = {request.uid: request for request in requests if request.uid not in self._pods}
            self._connect(missing.values())
        return [(self._pod_namespaces[request.uid], self._pods[request.uid].addresses) for request in requests]

    def _connect(self, requests: Iterable[PodRequest]) -> None:
        placed: dict[str, list[PodNetwork]] = {}
        try:
            for request in requests:
                key = node_key(request.cluster, request.node)
                placed.setdefault(key, []).append(self._place(request, key))
            self._plug(placed)
        except BaseException:
            for pod in chain.from_iterable(placed.values()):
                self._forget(pod.namespace.key)
            raise

    def _place(self, request: PodRequest, key: str) -> PodNetwork:
        """Choose a pod's addresses."""
        self.namespace(key)  # names what there is, if the node is unknown
        node = self._nodes[key]
        offset = node.offsets.take()
        network = PLUGINS[node.cluster.plugin].pod_network(node.cluster, node.index, offset, request.uid)
        addresses = tuple(address.interface.ip for address in network.namespace.addresses)
        self._pods[request.uid] = _Pod(request, addresses, offset, network.cable.port_index)
        return network

    def _plug(self, placed: Mapping[str, Sequence[PodNetwork]]) -> None:
        """Make the pods' namespaces and connect them, with one send per node and one per pod."""
        pods = tuple(chain.from_iterable(placed.values()))
        with Creation(self._sysctls, self._pod_namespaces) as creation:
            creation.create(pod.namespace for pod in pods)
            for key, here in placed.items():
                plugged = (connection(pod, self._pod_namespaces[pod.namespace.key]) for pod in here)
                self._nodes[key].route.execute(list(chain.from_iterable(plugged)))
            for pod in pods:
                creation.execute(pod.namespace.key, configuration(pod.namespace))

    def remove_pod(self, uid: str) -> None:
        """Disconnect a pod at once and let go of its namespace. Idempotent.

        Deleting the link would hold this thread for a grace period (16 ms); taking its port down cuts the pod
        off in 0.1 ms, and the kernel deletes the pair itself once nobody holds the namespace any more.
        """
        pod = self._pods.get(uid)
        if pod is None:
            return
        node = self._nodes[node_key(pod.request.cluster, pod.request.node)]
        try:
            node.route.execute([set_link(pod.port_index, up=False)])
        except NetlinkError as error:
            if error.errno != errno.ENODEV:  # somebody on the node deleted it: the pod is cut off already
                raise LabError(f"cannot disconnect a pod: {error.strerror}", where=pod.request.node) from error
        finally:
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        pod = self._pods.pop(uid)
        namespace = self._pod_namespaces.pop(uid, None)
        if namespace is not None:
            namespace.close()
        self._nodes[node_key(pod.request.cluster, pod.request.node)].offsets.give_back(pod.offset)

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
        namespace = self._pod_namespaces.get(uid)
        if namespace is None:
            raise LabError(f"the fabric has no pod {uid}")
        await asyncio.to_thread(nftables.load_ruleset, namespace, text)

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
        for node in self._nodes.values():
            node.route.close()
        for namespace in (*self._pod_namespaces.values(), *self._namespaces.values()):
            namespace.close()
        self._nodes.clear()
        self._pods.clear()
        self._pod_namespaces.clear()
        self._namespaces.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
