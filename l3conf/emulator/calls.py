"""What the host may ask of a running lab: the methods behind the control socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.capture.session import Capture
from l3conf.emulator.agent_faults import AgentFaults
from l3conf.emulator.fabric.inflict import Faults
from l3conf.emulator.fabric.plan import WAN, WAN_BRIDGE
from l3conf.emulator.fault_calls import FaultCalls
from l3conf.emulator.flow_calls import FlowCalls
from l3conf.emulator.ground.state import INSIDE
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.node_calls import NodeCalls
from l3conf.emulator.node_moves import NodeMoves
from l3conf.emulator.node_power import NodePower
from l3conf.emulator.node_set import NodeSet
from l3conf.emulator.readiness import is_ready
from l3conf.errors import LabError, UserError
from l3conf.probes.messages import observation_to_json, probe_from_json, sighting_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.server import APIServer
    from l3conf.emulator.cluster import EmulatedCluster
    from l3conf.emulator.control.server import Connection, Method
    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.ground.spawn import Spawner
    from l3conf.emulator.node.pod_worker import PodWorker
    from l3conf.emulator.node_runtime import RunningProcess
    from l3conf.probes.prober import Prober

OUTPUT_LIMIT = 16 << 20
"""Bytes of a command's output that ``run`` returns."""
TIMED_OUT = 124
"""Exit code of a command that was ended at its deadline, as timeout(1) has it."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class LabCalls:
    """Methods by name, on the parts of one lab."""

    name: str
    clusters: Mapping[str, EmulatedCluster]
    servers: Mapping[str, APIServer]
    """Those of the clusters, and the broker's."""
    fabric: Fabric
    prober: Prober
    spawner: Spawner
    _captures: dict[int, Capture] = field(default_factory=dict)
    _last_capture: int = 0
    _started: float = field(default_factory=time.monotonic)

    def methods(self) -> dict[str, Method]:
        """Return what the control server calls."""
        return {
            "probe": self.probe,
            "sightings": self.sightings,
            "cut": self.cut,
            "heal": self.heal,
            "capture.start": self.start_capture,
            "capture.stop": self.stop_capture,
            "node_state": self.node_state,
            "run": self.run,
            "exec": self.exec,
            "status": self.status,
            **FlowCalls(self.prober).methods(),
            **self._changes(),
        }

    def _changes(self) -> dict[str, Method]:
        """Return what changes the lab itself: faults, and nodes that come and go."""
        faults, power = Faults(self.fabric), NodePower(self.fabric, self.clusters, self.prober)
        nodes = NodeSet(self.fabric, self.clusters, self.prober, power)
        moves = NodeMoves(faults, self.clusters)
        calls = FaultCalls(faults, self.prober, AgentFaults(self.clusters), moves, power, nodes, self.servers)
        return {**calls.methods(), **NodeCalls(nodes).methods()}

    async def probe(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Send probes; answer their observations in order."""
        probes = [probe_from_json(probe) for probe in params["probes"]]
        return [observation_to_json(observation) for observation in await self.prober.run(probes)]

    async def sightings(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Answer what a receiver saw."""
        seen = await self.prober.sightings(params["place"], params["nonces"])
        return [sighting_to_json(sighting) for sighting in seen]

    async def cut(self, connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """Cut one direction between two sites until ``heal``, or until the caller hangs up."""
        source, destination = params["source"], params["destination"]
        self.fabric.cut(source, destination)

        async def undo() -> None:
            self.fabric.heal(source, destination)

        connection.on_close.append(undo)

    async def heal(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """Undo ``cut``."""
        self.fabric.heal(params["source"], params["destination"])

    async def start_capture(self, connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Start to capture at a place; answer the file's path below the state directory."""
        namespace, interface = self._link(params["where"])
        directory = INSIDE / "captures"
        directory.mkdir(exist_ok=True)
        self._last_capture += 1
        number = self._last_capture
        capture = Capture(namespace, interface, directory / f"{number}.pcap")
        capture.start()
        self._captures[number] = capture

        async def undo() -> None:
            await self._stop(number)

        connection.on_close.append(undo)
        return {"id": number, "file": f"captures/{number}.pcap"}

    async def stop_capture(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """End a capture; everything seen before this call is in its file."""
        return await self._stop(int(params["id"]))

    async def _stop(self, number: int) -> dict[str, int]:
        capture = self._captures.pop(number, None)
        if capture is None:
            return {"packets": 0, "dropped": 0}
        summary = await asyncio.to_thread(capture.stop)
        return {"packets": summary.frames, "dropped": summary.dropped + summary.over_limit}

    async def node_state(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Answer the network configuration of a node."""
        place = f"{params['cluster']}@{params['node']}"
        argv = [sys.executable, "-m", "l3conf.probes.node_state"]
        code, output, errors = await self._run(place, argv, timeout=float(params["timeout"]))
        if code:
            raise LabError(f"node_state ended with {code}: {errors.strip()[-500:]}", where=place)
        return json.loads(output)

    async def run(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Run a command at a place and answer its exit code and output."""
        code, output, errors = await self._run(params["place"], params["argv"], timeout=float(params["timeout"]))
        return {"code": code, "stdout": output, "stderr": errors}

    async def exec(self, connection: Connection, params: dict[str, Any], descriptors: list[int]) -> object:
        """Run a command at a place on the caller's own standard input, output and error."""
        if len(descriptors) < 3:  # noqa: PLR2004 - stdin, stdout, stderr
            raise LabError("exec came without three descriptors")
        stdin, stdout, stderr = descriptors[:3]
        tty = bool(params.get("tty"))
        process = await self._start(params["place"], params["argv"], (stdin, stdout, stderr), tty=tty)

        async def kill() -> None:
            process.signal(signal.SIGKILL)

        connection.on_close.append(kill)
        return {"code": await process.wait()}

    async def status(self, _connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
        """Answer nodes and pods."""
        return {
            "name": self.name,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "clusters": {name: _cluster_status(cluster) for name, cluster in self.clusters.items()},
        }

    async def _run(self, place: str, argv: list[str], *, timeout: float) -> tuple[int, str, str]:  # noqa: ASYNC109
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        out, out_end = os.pipe2(os.O_CLOEXEC)
        err, err_end = os.pipe2(os.O_CLOEXEC)
        try:
            process = await self._start(place, argv, (null, out_end, err_end))
        finally:
            for descriptor in (null, out_end, err_end):
                os.close(descriptor)
        reading = [asyncio.create_task(_read_all(end)) for end in (out, err)]
        try:
            code = await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            process.signal(signal.SIGKILL)
            await process.wait()
            code = TIMED_OUT
        output, errors = await asyncio.gather(*reading)
        return code, output, errors

    async def _start(
        self, place: str, argv: list[str], descriptors: tuple[int, int, int], *, tty: bool = False
    ) -> RunningProcess:
        if not argv:
            raise UserError("no command was given", where=place)
        try:
            if place.count("/") == 2:  # noqa: PLR2004 - cluster/namespace/pod
                stdin, stdout, stderr = descriptors
                runner = self._pod(place).containers[0]
                return await runner.process.execute(argv, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)
            return await self.spawner.start(
                argv,
                env={"PATH": os.environ.get("PATH", PATH), "HOME": "/root", "TERM": os.environ.get("TERM", "dumb")},
                network=self._namespace_path(place),
                descriptors=descriptors,
                tty=tty,
                hostname=_host_name(place),
            )
        except FileNotFoundError:
            raise UserError(f"no program {argv[0]!r} on this host", where=place) from None

    def _namespace_path(self, place: str) -> str:
        key = {"@wan": WAN, "@broker": "broker"}.get(place, place)
        try:
            return self.fabric.namespace(key).path
        except LabError:
            known = ", ".join(self.fabric.plan.namespaces)
            raise UserError(f"there is no place {place!r}", remedy=f"a pod CLUSTER/NAMESPACE/POD, or {known}") from None

    def _pod(self, place: str) -> PodWorker:
        cluster, namespace, name = place.split("/")
        for kubelet in self.clusters[cluster].kubelets if cluster in self.clusters else ():
            worker = kubelet.pod(namespace, name)
            if worker is not None and worker.sandbox.network is not None:
                return worker
        raise UserError(f"no pod {place!r} is running", remedy="see l3conf lab status")

    def _link(self, where: str) -> tuple[NetworkNamespace, str]:
        """Return the namespace and the interface to capture on: a host's or pod's uplink, or the WAN's bridge."""
        if where in {WAN, f"@{WAN}"}:
            return self.fabric.namespace(WAN), WAN_BRIDGE
        network = self._pod(where).sandbox.network if where.count("/") == 2 else None  # noqa: PLR2004 - a pod
        path = network.namespace_path if network is not None else self._namespace_path(where)
        interface = "wan" if where.startswith("router:") else "eth0"
        return NetworkNamespace(os.open(path, os.O_RDONLY | os.O_CLOEXEC)), interface


def _host_name(place: str) -> str:
    return place.replace("/", "-").replace("@", "-").replace(":", "-").strip("-")[:63]


async def _read_all(descriptor: int) -> str:
    """Read to the end, without a thread: commands may last as long as the lab, and threads are few."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    try:
        kept = bytearray()
        while chunk := await reader.read(1 << 16):
            # A command that says too much must not hang for it.
            kept += chunk[: OUTPUT_LIMIT - len(kept)]
        return kept.decode(errors="replace")
    finally:
        transport.close()


def _cluster_status(cluster: EmulatedCluster) -> dict[str, Any]:
    nodes = [
        {
            "name": node["metadata"]["name"],
            "ready": is_ready(node),
            "gateway": node["metadata"].get("labels", {}).get("submariner.io/gateway") == "true",
            "address": next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"),
            "podCIDR": node["spec"].get("podCIDR", ""),
        }
        for node in cluster.api.list("nodes")
    ]
    pods = [
        {
            "namespace": pod["metadata"]["namespace"],
            "name": pod["metadata"]["name"],
            "status": pod["status"].get("phase", "Unknown"),
            "node": pod["spec"].get("nodeName", ""),
            "address": pod["status"].get("podIP", ""),
            "image": pod["spec"]["containers"][0]["image"],
        }
        for pod in cluster.api.list("pods")
    ]
    return {"nodes": nodes, "pods": pods}
