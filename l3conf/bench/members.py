"""A cluster set that an implementation is installed in, for benchmarks: hooks, pods, agents' processes."""

from __future__ import annotations

import dataclasses
import os
import secrets
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.adapter.hooks import HookRunner, HookUnavailable
from l3conf.adapter.images import resolved_images, visible_directories
from l3conf.adapter.requests import HookRequest
from l3conf.continuity import NumberedFlow
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.implementation import Verb
from l3conf.observation import Outcome, Probe
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import IPAddress, Topology

PATIENCE = 120.0
"""Seconds until packets must have crossed; more is no figure but a failure."""
PERIOD = 0.02
"""Seconds between two tries."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Member:
    """A probe pod of a cluster."""

    cluster: str
    node: str
    place: str
    address: IPAddress


def flow(source: Member, destination: Member) -> NumberedFlow:
    """Return a numbered flow of 100 Hz between two pods."""
    return NumberedFlow(
        id=secrets.token_hex(8),
        source=source.place,
        destination=destination.address,
        port=PORT,
        receivers=(destination.place,),
    )


@dataclass(frozen=True, slots=True)
class AgentUse:
    """What one container of the implementation has used so far."""

    pid: int
    command: str
    """The last word of its command line: what the implementation calls the program."""
    cpu_seconds: float
    peak_rss_mb: float


class MemberSet:
    """A lab with an implementation deployed; clusters join on request. A context manager: its end is the lab's."""

    def __init__(
        self, implementation: Implementation, topology: Topology, *, pods_per_node: int = 1, agents: bool = True
    ) -> None:
        """``agents``: False withholds the implementation's images, so that its hooks do all that is done."""
        self._closing = ExitStack()
        work = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="l3conf-bench-")))
        self.topology = dataclasses.replace(topology, pods_per_node=pods_per_node)
        images, visible = resolved_images(implementation), visible_directories(implementation)
        try:
            self.lab = EmulatedLab.start(self.topology, images=images if agents else (), visible=visible)
            self._closing.callback(self.lab.close)
            self._work = work
            self._runner = HookRunner(implementation, log_directory=work / "hooks")
            self.apis = {name: self._api(name, access.kubeconfig) for name, access in self.lab.clusters.items()}
            self.broker = self._api("broker", self.lab.broker.kubeconfig)
        except BaseException:
            self._closing.close()
            raise

    def _api(self, name: str, kubeconfig: Path) -> ClusterAPI:
        api = ClusterAPI(name, kubeconfig, timeout=PATIENCE)
        self._closing.callback(api.close)
        return api

    def deploy(self) -> None:
        """Install the implementation everywhere; nothing is connected yet."""
        self._hook(Verb.DEPLOY)

    def join(self, cluster: str) -> Mapping[str, Any]:
        """Make a cluster a member; return the hook's answer."""
        return self._hook(Verb.JOIN, cluster) or {}

    def leave(self, cluster: str) -> None:
        """Take a cluster out of the set."""
        self._hook(Verb.LEAVE, cluster)

    def rotate(self, cluster: str) -> bool:
        """Ask for new keys of a member; False if the implementation has no such hook."""
        return self._hook(Verb.ROTATE, cluster) is not None

    def _hook(self, verb: Verb, cluster: str = "") -> Mapping[str, Any] | None:
        """Return a hook's answer; None if the implementation has no such hook."""
        done = self._runner.run(verb, HookRequest(lab=self.lab, work_directory=self._work, cluster=cluster))
        return None if isinstance(done, HookUnavailable) else done.output

    def pods(self, cluster: str) -> list[Member]:
        """Return the probe pods of a cluster, those of gateway nodes first."""
        gateways = {node.name for node in self.topology.cluster(cluster).gateway_nodes}
        found = [
            Member(cluster, pod["node"], f"{cluster}/{pod['namespace']}/{pod['name']}", ip_address(pod["address"]))
            for pod in self.lab.status()["clusters"][cluster]["pods"]
            if pod["namespace"] == "l3conf-probes"
        ]
        return sorted(found, key=lambda pod: (pod.node not in gateways, pod.node))

    def worker_pod(self, cluster: str) -> Member:
        """Return a pod on a node without a gateway."""
        workers = {node.name for node in self.topology.cluster(cluster).worker_nodes}
        for pod in self.pods(cluster):
            if pod.node in workers:
                return pod
        raise LabError("no probe pod runs on a worker", where=cluster)

    def await_packets(self, pairs: Iterable[tuple[Member, Member]]) -> None:
        """Send between all pairs until each has had an answer."""
        waiting = list(pairs)
        deadline = time.monotonic() + PATIENCE
        while waiting:
            if time.monotonic() > deadline:
                names = ", ".join(f"{one.place} -> {other.place}" for one, other in waiting[:3])
                raise LabError(f"no packet crossed within {PATIENCE:.0f} s between {len(waiting)} pairs: {names}")
            sent = [
                Probe(source=one.place, destination=other.address, port=PORT, timeout=0.2) for one, other in waiting
            ]
            seen = self.lab.probe(sent)
            waiting = [
                pair for pair, probe in zip(waiting, seen, strict=True) if probe.outcome is not Outcome.DELIVERED
            ]
            if waiting:
                time.sleep(PERIOD)

    def containers(self) -> list[int]:
        """Return the processes that containers of the implementation began with."""
        return [container for child in _children(self.lab.emulator_pid) for container in _children(child)]

    def agents(self) -> list[AgentUse]:
        """Return what every container of the implementation has used: the grandchildren of the lab's first process."""
        used = [use for use in map(_use, self.containers()) if use is not None]
        if not used:
            raise LabError("the implementation runs no container")
        return used

    def close(self) -> None:
        """End the lab."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has just ended


def _use(pid: int) -> AgentUse | None:
    """Return what a process has used; None if it has ended, reaped or not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        stat = Path(f"/proc/{pid}/stat").read_text()
        words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    peak = next((line for line in lines if line.startswith("VmHWM")), None)
    if peak is None:
        return None
    # Field 2, the name in brackets, may hold blanks: fields 14 and 15 (utime, stime) are counted from behind it.
    fields = stat.rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return AgentUse(pid=pid, command=words[-1], cpu_seconds=cpu, peak_rss_mb=int(peak.split()[1]) / 1000)
