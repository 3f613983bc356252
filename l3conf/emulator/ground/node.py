"""One node as its kubelet and kube-proxy see it: the fabric's namespaces and the spawner's processes together."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.flows import forget_flows
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.node_runtime import PodNetwork
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.ground.spawn import SpawnedProcess, Spawner
    from l3conf.emulator.kernel.flows import Backends
    from l3conf.emulator.node_runtime import ContainerSpec, RunningProcess
    from l3conf.model.topology import IPAddress, IPNetwork


class EmulatedNode:
    """Implements ``node_runtime.NodeGround``."""

    def __init__(
        self,
        *,
        cluster: str,
        name: str,
        addresses: tuple[IPAddress, ...],
        pod_ranges: tuple[IPNetwork, ...],
        fabric: Fabric,
        spawner: Spawner,
        place: str = "",
    ) -> None:
        """``place``: the node's key in the fabric, where that is not made of cluster and name."""
        self.key = place or f"{cluster}@{name}"
        """Also its place (``labs.base``)."""
        self.cluster = cluster
        self.name = name
        self.addresses = addresses
        self.pod_ranges = pod_ranges
        self._fabric = fabric
        self._spawner = spawner
        self._networks: dict[str, PodNetwork] = {}

    async def add_pod(self, pod_uid: str, pod_name: str, *, host_network: bool) -> PodNetwork:  # noqa: ARG002 - NodeGround
        """Give a pod its namespace and addresses; the node's own for a host-network pod."""
        if pod_uid not in self._networks:
            if host_network:
                namespace, addresses = self._fabric.namespace(self.key), self.addresses
            else:
                namespace, addresses = self._fabric.add_pod(self.cluster, self.name, pod_uid)
            self._networks[pod_uid] = PodNetwork(
                pod_uid=pod_uid, namespace_path=namespace.path, addresses=tuple(addresses), host_network=host_network
            )
        return self._networks[pod_uid]

    async def remove_pod(self, pod_uid: str) -> None:
        """Take a pod's namespace back."""
        network = self._networks.pop(pod_uid, None)
        if network is not None and not network.host_network:
            self._fabric.remove_pod(pod_uid)

    async def start(self, network: PodNetwork, spec: ContainerSpec) -> SpawnedProcess:
        """Start a container with nothing on its standard input and its output in its log."""
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        log = os.open(spec.log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            return await self._spawner.start(
                spec.argv,
                env=spec.env,
                network=network.namespace_path,
                mounts=_mounts(spec),
                working_directory=spec.working_directory,
                hostname=spec.hostname,
                capabilities=spec.capabilities,
                descriptors=(null, log, log),
            )
        finally:
            os.close(null)
            os.close(log)

    async def exec(
        self,
        container: RunningProcess | None,
        network: PodNetwork,
        spec: ContainerSpec,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        tty: bool = False,
    ) -> SpawnedProcess:
        """Start a further process: in the container's namespaces, or in new ones where a built-in serves the pod."""
        return await self._spawner.start(
            spec.argv,
            env=spec.env,
            network=network.namespace_path,
            join=container.pid if container is not None else 0,
            mounts=_mounts(spec),
            working_directory=spec.working_directory,
            hostname=spec.hostname,
            tty=tty,
            capabilities=spec.capabilities,
            descriptors=(stdin, stdout, stderr),
        )

    async def load_ruleset(self, ruleset: str) -> None:
        """Load an nftables ruleset into the node's namespace, all or nothing."""
        await self._fabric.load_ruleset_async(self.key, ruleset)

    async def load_pod_ruleset(self, pod_uid: str, ruleset: str) -> None:
        """Load an nftables ruleset into a pod's namespace, all or nothing."""
        await self._fabric.load_pod_ruleset_async(pod_uid, ruleset)

    async def open_connection(
        self, network: PodNetwork | None, host: IPAddress, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection from a pod's namespace, or from the node's own."""
        family = socket.AF_INET if IPFamily.of(host) is IPFamily.IPV4 else socket.AF_INET6
        with self._namespace(network) as namespace:
            connection = namespace.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (str(host), port))
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    async def forget_flows(self, family: IPFamily, backends: Backends) -> None:
        """Drop UDP flows that ``backends`` do not answer from the node's connection tracking."""
        number = socket.AF_INET if family is IPFamily.IPV4 else socket.AF_INET6
        await asyncio.to_thread(forget_flows, self._fabric.namespace(self.key), number, backends)

    def _namespace(self, network: PodNetwork | None) -> NetworkNamespace:
        path = network.namespace_path if network is not None else self._fabric.namespace(self.key).path
        return NetworkNamespace(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def _mounts(spec: ContainerSpec) -> tuple[tuple[str, str, bool], ...]:
    return tuple((str(mount.source), mount.target, mount.read_only) for mount in spec.mounts)
