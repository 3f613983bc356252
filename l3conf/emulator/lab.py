"""The emulator: all of a topology's clusters, the broker, the fabric and the prober in one asyncio process.

Runs as pid 1 of the lab's namespaces; when it ends, everything ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import sys
import time
from importlib.metadata import version
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.emulator.apiserver.server import APIServer
from l3conf.emulator.calls import PATH, LabCalls
from l3conf.emulator.cluster import API_PORT, LOOPBACK, EmulatedCluster
from l3conf.emulator.control.server import ControlServer
from l3conf.emulator.controllers.kubernetes_service import ControlPlane
from l3conf.emulator.controllers.manager import ControllerManager
from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.hardware import KernelHardware
from l3conf.emulator.ground.node import EmulatedNode
from l3conf.emulator.ground.spawn import Spawner
from l3conf.emulator.ground.state import CONTROL_SOCKET, FACTS, INSIDE
from l3conf.emulator.node.context import APIAccess
from l3conf.emulator.node.kubelet import Kubelet
from l3conf.emulator.node.pod_access import ClusterPods
from l3conf.emulator.node_runtime import Image
from l3conf.model.addressing import BROKER_OFFSET, broker_address, wan_addresses
from l3conf.probes.manifests import probe_manifests
from l3conf.probes.prober import START_TIMEOUT, Prober
from l3conf.probes.workload import ProbeWorkload

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from l3conf.emulator.fabric.hardware import Hardware
    from l3conf.emulator.ground.launch import LaunchRequest

READY_TIMEOUT = 30.0
"""Seconds for nodes and pods to become ready; a large topology takes a few."""
OUTSIDER = "@outsider"
BROKER = "broker"
BROKER_SERVICE_CIDRS = (ip_network("10.96.0.0/16"),)
"""Nothing ever routes these addresses: the broker's one node runs pods of the host's network, who need none."""


def run_lab(
    request: LaunchRequest,
    host_sockets: Mapping[str, socket.socket],
    spawner_channel: socket.socket,
    tell: Callable[..., None],
) -> int:
    """Run the lab until its process is ended; ``tell`` reports stages and readiness to the starter."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    asyncio.run(_Lab(request, host_sockets, tell).run(spawner_channel))
    return 0


class _Lab:
    def __init__(
        self, request: LaunchRequest, host_sockets: Mapping[str, socket.socket], tell: Callable[..., None]
    ) -> None:
        self._request = request
        self._topology = request.topology
        self._host_sockets = host_sockets
        self._tell = tell
        self._started = time.monotonic()

    async def run(self, spawner_channel: socket.socket) -> None:
        spawner = Spawner(spawner_channel)
        starting_prober = asyncio.create_task(Prober.start(seconds=START_TIMEOUT * self._request.patience))
        await asyncio.sleep(0)  # its interpreter starts while the fabric is built
        self._tell(stage="network namespaces, links and routes")
        with Fabric.build(self._topology, self._hardware()) as fabric:
            self._tell(stage="API servers and nodes")
            prober = await starting_prober
            images = self._images(prober)
            clusters = {
                spec.name: EmulatedCluster(
                    spec, fabric=fabric, spawner=spawner, images=images, state_directory=INSIDE / "nodes"
                )
                for spec in self._topology.clusters
            }
            broker = await self._start_broker(fabric, spawner, images)
            for name, cluster in clusters.items():
                await cluster.start(self._host_sockets[name])
                for manifest in self._probe_pods(cluster):
                    cluster.create(manifest)
            await self._serve_probes_on_hosts(prober, fabric)
            self._tell(stage="pods")
            await asyncio.gather(
                *(cluster.ready(READY_TIMEOUT * self._request.patience) for cluster in clusters.values())
            )
            servers = {**{name: cluster.server for name, cluster in clusters.items()}, BROKER: broker}
            calls = LabCalls(
                name=self._request.name,
                clusters=clusters,
                servers=servers,
                fabric=fabric,
                prober=prober,
                spawner=spawner,
            )
            ControlServer(INSIDE / CONTROL_SOCKET, calls.methods()).start()
            self._write_facts(servers)
            self._tell(ready=True)
            await asyncio.Event().wait()  # until the supervisor ends this process

    def _hardware(self) -> Hardware:
        if not self._request.mininet:
            return KernelHardware()
        from l3conf.emulator.mininet.hardware import MininetHardware  # noqa: PLC0415 - for those who need it

        return MininetHardware()

    def _images(self, prober: Prober) -> list[Image]:
        """Return the image table: the implementation's rows first, then what the emulator itself serves."""
        rows = [Image(name=row.name, entrypoint=row.command, env=row.env) for row in self._request.images]
        agent = (sys.executable, "-m", "l3conf.probes.agent", "serve")
        env = {"PATH": f"{sys.prefix}/bin:{PATH}"}  # `kubectl exec` finds the agent's interpreter
        rows.append(Image(name="l3conf/probe:*", entrypoint=agent, env=env, builtin=ProbeWorkload(prober)))
        rows.append(Image(name="l3conf/probe-agent:*", entrypoint=agent, env=env))  # the same without the fast path
        return rows

    def _probe_pods(self, cluster: EmulatedCluster) -> list[dict[str, Any]]:
        count = self._topology.pods_per_node
        return probe_manifests(cluster.spec, pods_per_node=count) if count else []

    async def _start_broker(self, fabric: Fabric, spawner: Spawner, images: Sequence[Image]) -> APIServer:
        addresses = wan_addresses(self._topology, BROKER_OFFSET)
        server = APIServer(BROKER, service_cidrs=BROKER_SERVICE_CIDRS, addresses=[LOOPBACK, *addresses])
        control_plane = ControlPlane(
            addresses=addresses, port=API_PORT, service_cidrs=BROKER_SERVICE_CIDRS, ca_pem=server.ca_pem
        )
        ControllerManager(server.api, control_plane=control_plane).start()
        listeners = [fabric.listen(BROKER, address, API_PORT) for address in addresses]
        await server.start([self._host_sockets[BROKER], *listeners])
        node = EmulatedNode(
            cluster=BROKER,
            name=f"{BROKER}-1",
            addresses=tuple(addresses),
            pod_ranges=(),
            fabric=fabric,
            spawner=spawner,
            place=BROKER,
        )
        kubelet = Kubelet(
            server.api,
            cluster=BROKER,
            ground=node,
            images=images,
            state_directory=INSIDE / "nodes" / BROKER / node.name,
            api_access=APIAccess(host=str(addresses[0]), port=API_PORT, ca_pem=server.ca_pem),
            issue_token=server.issue_token,
        )
        server.pod_access = ClusterPods()
        server.pod_access.kubelets[kubelet.node] = kubelet
        kubelet.start()
        return server

    async def _serve_probes_on_hosts(self, prober: Prober, fabric: Fabric) -> None:
        """Nodes and the outsider are places too: traffic to a node and to the world outside is probed there."""
        nodes = [f"{c.name}@{node.name}" for c in self._topology.clusters for node in c.nodes]
        served = {**dict.fromkeys(nodes, self._request.serves_on_nodes), OUTSIDER: True}
        await asyncio.gather(
            *(prober.add_place(key, fabric.namespace(key).path, serve=serve) for key, serve in served.items())
        )

    def _write_facts(self, servers: Mapping[str, APIServer]) -> None:
        directory = INSIDE / "kubeconfig"
        directory.mkdir(mode=0o700)
        for name, server in servers.items():
            port = self._host_sockets[name].getsockname()[1]
            _write_private(directory / name, server.kubeconfig(f"https://127.0.0.1:{port}"))
        _write_private(directory / "all", _merged([(directory / name).read_text() for name in servers]))
        facts = {
            "name": self._request.name,
            "topology": self._topology.name,
            "clusters": {name: {"kubeconfig": f"kubeconfig/{name}"} for name in servers if name != BROKER},
            "broker": {"kubeconfig": f"kubeconfig/{BROKER}", "memberServer": self._member_server()},
            "readySeconds": round(time.monotonic() - self._started, 3),
            "versions": self._versions(),
        }
        temporary = INSIDE / f"{FACTS}.new"
        temporary.write_text(json.dumps(facts))
        temporary.rename(INSIDE / FACTS)  # readers see all of it or nothing

    def _versions(self) -> dict[str, str]:
        programs = ("l3conf", "mininet") if self._request.mininet else ("l3conf",)
        return {**{program: version(program) for program in programs}, "kernel": platform.release()}

    def _member_server(self) -> str:
        address = broker_address(self._topology)
        return f"https://[{address}]:{API_PORT}" if ":" in str(address) else f"https://{address}:{API_PORT}"


def _write_private(path: Any, text: str) -> None:  # noqa: ANN401 - a Path
    path.touch(mode=0o600)
    path.write_text(text)


def _merged(kubeconfigs: list[str]) -> str:
    """Return one kubeconfig with a context per cluster; the first is current."""
    parsed = [yaml.safe_load(text) for text in kubeconfigs]
    merged = {**parsed[0]}
    for section in ("clusters", "users", "contexts"):
        merged[section] = [entry for config in parsed for entry in config[section]]
    return yaml.safe_dump(merged, sort_keys=False)
