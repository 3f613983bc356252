"""Pods on a fabric's nodes: their addresses, namespaces and cables."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.creation import Creation
from l3conf.emulator.fabric.encode import configuration, connection
from l3conf.emulator.fabric.plan import node_key
from l3conf.emulator.fabric.plugins.registry import PLUGINS
from l3conf.emulator.fabric.pods import PodOffsets
from l3conf.emulator.kernel.links import set_link
from l3conf.emulator.kernel.netlink import NetlinkError, RouteSocket
from l3conf.errors import LabError
from l3conf.model.addressing import pod_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.emulator.fabric.plugins.protocol import PodNetwork
    from l3conf.emulator.fabric.sysctls import SysctlWriter
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.model.topology import ClusterSpec, IPAddress


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
    number: int
    offsets: PodOffsets


class PodWiring:
    """All pods of a fabric. Nodes are known by their keys."""

    def __init__(self, sysctls: SysctlWriter) -> None:
        self._sysctls = sysctls
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, _Pod] = {}
        self._namespaces: dict[str, NetworkNamespace] = {}

    def adopt_node(self, key: str, namespace: NetworkNamespace, cluster: ClusterSpec, number: int) -> None:
        """Let pods be connected to a node."""
        offsets = PodOffsets(key, pod_ranges(cluster, number))
        self._nodes[key] = _Node(RouteSocket(namespace), cluster, number, offsets)

    def move_node(self, key: str, namespace: NetworkNamespace) -> None:
        """Follow a node without pods into another namespace."""
        before = self._nodes[key]
        self._nodes[key] = replace(before, route=RouteSocket(namespace))
        before.route.close()

    def drop_node(self, key: str) -> None:
        """Forget a node that goes, and whatever pods it has."""
        for uid, pod in [*self._pods.items()]:
            if node_key(pod.request.cluster, pod.request.node) == key:
                self._forget(uid)
        self._nodes.pop(key).route.close()

    def namespace(self, uid: str) -> NetworkNamespace:
        """Return a pod's namespace. ``LabError`` if there is no such pod."""
        namespace = self._namespaces.get(uid)
        if namespace is None:
            raise LabError(f"the fabric has no pod {uid}")
        return namespace

    def add(self, requests: Sequence[PodRequest]) -> list[tuple[NetworkNamespace, tuple[IPAddress, ...]]]:
        """Connect pods, with one send per node and one per pod; answers in the order of requests."""
        # By uid: a pod asked for twice in one call is one pod.
        self._connect({request.uid: request for request in requests if request.uid not in self._pods}.values())
        return [(self._namespaces[request.uid], self._pods[request.uid].addresses) for request in requests]

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
        node = self._nodes.get(key)
        if node is None:
            raise LabError(f"the fabric has no {key!r}; it has {', '.join(self._nodes)}")
        offset = node.offsets.take()
        network = PLUGINS[node.cluster.plugin].pod_network(node.cluster, node.number, offset, request.uid)
        addresses = tuple(address.interface.ip for address in network.namespace.addresses)
        self._pods[request.uid] = _Pod(request, addresses, offset, network.cable.port_index)
        return network

    def _plug(self, placed: Mapping[str, Sequence[PodNetwork]]) -> None:
        """Make the pods' namespaces and connect them, with one send per node and one per pod."""
        pods = tuple(chain.from_iterable(placed.values()))
        with Creation(self._sysctls, self._namespaces) as creation:
            creation.create(pod.namespace for pod in pods)
            for key, here in placed.items():
                plugged = (connection(pod, self._namespaces[pod.namespace.key]) for pod in here)
                self._nodes[key].route.execute(list(chain.from_iterable(plugged)))
            for pod in pods:
                creation.execute(pod.namespace.key, configuration(pod.namespace))

    def remove(self, uid: str) -> None:
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
        namespace = self._namespaces.pop(uid, None)
        if namespace is not None:
            namespace.close()
        self._nodes[node_key(pod.request.cluster, pod.request.node)].offsets.give_back(pod.offset)

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        for node in self._nodes.values():
            node.route.close()
        for namespace in self._namespaces.values():
            namespace.close()
        self._nodes.clear()
        self._pods.clear()
        self._namespaces.clear()
