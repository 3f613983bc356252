"""One emulated cluster: API server, controllers, and a kubelet and kube-proxy per node."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.server import APIServer
from l3conf.emulator.controllers.kubernetes_service import PORT as SERVICE_PORT
from l3conf.emulator.controllers.kubernetes_service import ControlPlane
from l3conf.emulator.controllers.manager import ControllerManager
from l3conf.emulator.ground.node import EmulatedNode
from l3conf.emulator.node.context import APIAccess, BackOffTimes, ClusterDNS
from l3conf.emulator.node.kubelet import Kubelet
from l3conf.emulator.node.pod_access import ClusterPods
from l3conf.emulator.node_runtime import Image
from l3conf.emulator.policies.enforcer import PolicyEnforcer
from l3conf.emulator.proxy.kube_proxy import KubeProxy
from l3conf.emulator.readiness import wait_until_ready
from l3conf.emulator.workloads.dns import IMAGE as DNS_IMAGE
from l3conf.emulator.workloads.dns import DNSWorkload
from l3conf.emulator.workloads.dns_manifests import dns_manifests, dns_service_address
from l3conf.errors import LabError
from l3conf.model.addressing import (
    CONTROL_PLANE_OFFSET,
    host,
    node_addresses,
    pod_ranges,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.ground.spawn import Spawner
    from l3conf.model.topology import ClusterSpec

API_PORT = 6443
LOOPBACK = ip_address("127.0.0.1")
GATEWAY_LABEL = "submariner.io/gateway"
NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class _NodePrograms:
    """What runs on a node besides its pods."""

    kubelet: Kubelet
    proxy: KubeProxy
    enforcer: PolicyEnforcer

    def start(self) -> None:
        self.kubelet.start()
        self.proxy.start()
        self.enforcer.start()

    async def stop(self) -> None:
        await asyncio.gather(self.kubelet.stop(), self.proxy.stop(), self.enforcer.stop())


class EmulatedCluster:
    """A cluster of a topology on the fabric."""

    def __init__(
        self,
        spec: ClusterSpec,
        *,
        fabric: Fabric,
        spawner: Spawner,
        images: Sequence[Image],
        state_directory: Path,
    ) -> None:
        self.spec = spec
        self._fabric = fabric
        self._addresses = tuple(host(cidr, CONTROL_PLANE_OFFSET) for cidr in spec.node_cidrs)
        self.server = APIServer(spec.name, service_cidrs=spec.service_cidrs, addresses=[LOOPBACK, *self._addresses])
        self.api = self.server.api
        control_plane = ControlPlane(
            addresses=self._addresses, port=API_PORT, service_cidrs=spec.service_cidrs, ca_pem=self.server.ca_pem
        )
        self._api_access = APIAccess(host=str(control_plane.cluster_ip), port=SERVICE_PORT, ca_pem=self.server.ca_pem)
        self._controllers = ControllerManager(self.api, control_plane=control_plane)
        self._spawner = spawner
        self._grounds = {node.name: self._ground_of(node.name) for node in spec.nodes}
        self._images = (*images, Image(name=DNS_IMAGE, builtin=DNSWorkload(self.api)))
        self._state_directory = state_directory
        self._programs = {name: self._programs_of(ground) for name, ground in self._grounds.items()}
        self._pods = ClusterPods()
        self._pods.kubelets.update({kubelet.node: kubelet for kubelet in self.kubelets})
        self.server.pod_access = self._pods

    @property
    def nodes(self) -> tuple[EmulatedNode, ...]:
        """All nodes, in the order in which they came."""
        return tuple(self._grounds.values())

    @property
    def kubelets(self) -> tuple[Kubelet, ...]:
        """The kubelets of all nodes, in the same order."""
        return tuple(each.kubelet for each in self._programs.values())

    def _ground_of(self, name: str) -> EmulatedNode:
        number = self.spec.number_of(name)
        return EmulatedNode(
            cluster=self.spec.name,
            name=name,
            addresses=node_addresses(self.spec, number),
            pod_ranges=pod_ranges(self.spec, number),
            fabric=self._fabric,
            spawner=self._spawner,
        )

    def _programs_of(self, node: EmulatedNode) -> _NodePrograms:
        return _NodePrograms(
            kubelet=self._kubelet(node, self._images, self._state_directory),
            proxy=KubeProxy(self.api, ground=node, cluster_cidrs=self.spec.pod_cidrs),
            enforcer=PolicyEnforcer(self.api, ground=node, service_cidrs=self.spec.service_cidrs),
        )

    async def power_off(self, name: str) -> None:
        """End everything that runs on a node, at once. The API is told nothing."""
        await self._programs[name].stop()

    def power_on(self, name: str) -> None:
        """Start a node's programs as new ones, which know nothing of what was loaded or ran there before."""
        programs = self._programs[name] = self._programs_of(self._grounds[name])
        self._pods.kubelets[name] = programs.kubelet
        programs.start()

    def add_node(self, spec: ClusterSpec, name: str) -> None:
        """Start the programs of a node that has come, by which it registers. ``StatusError`` if the API refuses it."""
        self.spec = spec
        self._grounds[name] = self._ground_of(name)
        self.power_on(name)

    async def remove_node(self, spec: ClusterSpec, name: str) -> None:
        """End everything that runs on a node and forget it; its Node object goes, and with it what that one owns."""
        await self.power_off(name)
        self.spec = spec
        del self._programs[name], self._grounds[name], self._pods.kubelets[name]
        try:
            self.api.delete("nodes", name)
        except StatusError as error:
            if error.code != NOT_FOUND:  # somebody deleted it, as operators do
                raise

    def _kubelet(self, node: EmulatedNode, images: Sequence[Image], state_directory: Path) -> Kubelet:
        gateway = node.name in {gateway.name for gateway in self.spec.gateway_nodes}
        return Kubelet(
            self.api,
            cluster=self.spec.name,
            ground=node,
            images=images,
            labels={GATEWAY_LABEL: "true"} if gateway else {},
            state_directory=state_directory / self.spec.name / node.name,
            api_access=self._api_access,
            dns=ClusterDNS(servers=tuple(dns_service_address(cidr) for cidr in self.spec.service_cidrs)),
            issue_token=self.server.issue_token,
            back_off=BackOffTimes(max_container_restart_period=self.spec.max_container_restart_period),
        )

    async def start(self, host_socket: socket.socket) -> None:
        """Serve the API on the host's socket and inside the lab, and start controllers and nodes."""
        listeners = [self._fabric.listen(f"control-plane:{self.spec.name}", a, API_PORT) for a in self._addresses]
        await self.server.start([host_socket, *listeners])
        self._controllers.start()
        for programs in self._programs.values():
            programs.start()
        for manifest in dns_manifests(self.spec.service_cidrs):
            self.create(manifest)

    def create(self, manifest: dict[str, Any]) -> None:
        """Create an object from a manifest of a kind that the emulator itself uses."""
        group = manifest["apiVersion"].rpartition("/")[0]
        plural = f"{manifest['kind'].lower()}s"
        self.api.create(f"{plural}.{group}" if group else plural, manifest)

    async def ready(self, timeout: float) -> None:  # noqa: ASYNC109 - names who lags
        """Wait until nodes and pods are Ready and every node's rules say what the API says; ``LabError`` if not."""
        await wait_until_ready(self.api, {*self._grounds}, timeout=timeout)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(each.proxy.synced.wait() for each in self._programs.values()))
        except TimeoutError:
            raise LabError(f"a kube-proxy did not settle within {timeout:.0f} s", where=self.spec.name) from None

    async def stop(self) -> None:
        """End the API's connections; everything else ends with the lab's process."""
        await self.server.stop()
