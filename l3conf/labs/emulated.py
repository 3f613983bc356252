"""The emulated lab from the host's side: starts it or attaches to it, and speaks through its control socket."""

from __future__ import annotations

import base64
import platform
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from l3conf.continuity import FlowRecord, Series
from l3conf.emulator.control.client import ControlClient
from l3conf.emulator.ground.isolate import check_namespaces
from l3conf.emulator.ground.launch import LaunchedLab, LaunchRequest, launch
from l3conf.emulator.ground.state import read_facts
from l3conf.errors import LabError, LabGoneError, MissingPrerequisiteError
from l3conf.labs.base import Capability, ClusterAccess
from l3conf.model.addressing import place_addresses
from l3conf.model.faults import NodeAdded, NodeCrash, NodeRemoved, fault_to_json
from l3conf.model.roster import with_nodes_of
from l3conf.probes.flow_messages import flow_to_json, record_from_json
from l3conf.probes.manifests import NAMESPACE, probe_manifests
from l3conf.probes.messages import observation_from_json, probe_to_json, sighting_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.continuity import NumberedFlow
    from l3conf.labs.base import FlowReader
    from l3conf.model.faults import Fault
    from l3conf.model.implementation import EmulatedImage
    from l3conf.model.topology import IPAddress, Topology
    from l3conf.observation import Observation, Probe, Sighting

REQUIRED_COMMANDS = MappingProxyType({"ip": "iproute2", "nft": "nftables"})
"""Programs that the lab's nodes need, and the Debian packages they are in."""
_NODE_STATE = 20.0
"""Seconds for reading all of a node's network configuration."""
_NODE_CHANGE = 30.0
"""Seconds for making or ending a node, in the middle of everything else that a large lab on a busy machine does."""
_CALL_MARGIN = 10.0
"""Seconds that an answer may take beyond what the call itself waits for."""


def missing_packages(required: Mapping[str, str] = REQUIRED_COMMANDS) -> tuple[str, ...]:
    """Return the Debian packages that this host lacks for a lab, given the package of each program."""
    path = "/usr/sbin:/sbin:/usr/bin:/bin"
    return tuple(
        package
        for command, package in sorted(required.items())
        if not (shutil.which(command) or shutil.which(command, path=path))
    )


def check_packages(required: Mapping[str, str] = REQUIRED_COMMANDS) -> None:
    """Refuse a host that lacks programs; ``MissingPrerequisiteError`` names their Debian packages."""
    missing = missing_packages(required)
    if missing:
        remedy = f"install them with: apt-get install {' '.join(missing)}"
        raise MissingPrerequisiteError(f"missing Debian packages: {', '.join(missing)}", remedy=remedy)


class _Flows:
    """Flows of one context (``labs.base.FlowReader``)."""

    def __init__(self, flows: Sequence[NumberedFlow], call: Callable[..., Any]) -> None:
        self._records = [FlowRecord(flow=flow, emitted=Series(), received=Series()) for flow in flows]
        self._ids = [flow.id for flow in flows]
        self._call = call

    def __call__(self) -> list[FlowRecord]:
        news = self._call("flows.read", {"positions": [record.position for record in self._records]})
        self._records = [
            known.then(record_from_json(known.flow, new)) for known, new in zip(self._records, news, strict=True)
        ]
        return list(self._records)

    def stop(self) -> None:
        """Emit nothing more."""
        self._call("flows.stop", {"ids": self._ids})


class EmulatedLab:
    """A running emulated lab (``labs.base.Lab``)."""

    kind = "emulated"
    namespace = NAMESPACE
    capabilities = frozenset(Capability)
    required_commands: ClassVar[Mapping[str, str]] = REQUIRED_COMMANDS
    mininet: ClassVar[bool] = False
    """Whether Mininet makes the network."""

    def __init__(
        self, topology: Topology, state: Path, launched: LaunchedLab | None = None, *, patience: float = 1.0
    ) -> None:
        self.topology = topology
        self.state = state
        self._launched = launched
        self._patience = patience
        self._control = ControlClient(state)
        facts = read_facts(state)
        if facts is None:
            raise LabGoneError("the lab's facts are not readable", where=str(state))
        self._facts = facts
        self.clusters: Mapping[str, ClusterAccess] = {
            name: ClusterAccess(name=name, kubeconfig=state / access["kubeconfig"])
            for name, access in facts["clusters"].items()
        }
        broker = facts["broker"]
        self.broker = ClusterAccess(
            name="broker", kubeconfig=state / broker["kubeconfig"], member_server=broker["memberServer"]
        )

    @classmethod
    def start(
        cls,
        topology: Topology,
        *,
        images: Sequence[EmulatedImage] = (),
        visible: Sequence[str] = (),
        name: str | None = None,
        background: bool = False,
        patience: float = 1.0,
        serves_on_nodes: bool = True,
        progress: Callable[[str], None] = lambda _stage: None,
    ) -> EmulatedLab:
        """Build the topology and return once every node is Ready.

        A background lab outlives this process and is registered under ``name``; any other dies with it. ``patience``
        says how many times slower than usual this machine may be: the lab's own times are multiplied by it. Without
        ``serves_on_nodes`` nothing of the lab listens on nodes, where pods with hostNetwork may then do so.
        """
        check_packages(cls.required_commands)
        request = LaunchRequest(
            name=name or topology.name,
            topology=topology,
            images=tuple(images),
            visible=tuple(visible),
            background=background,
            patience=patience,
            serves_on_nodes=serves_on_nodes,
            mininet=cls.mininet,
        )
        launched = launch(request, progress=progress)
        try:
            return cls(topology, launched.state, launched, patience=patience)
        except BaseException:
            launched.close()
            raise

    @classmethod
    def check_host(cls) -> None:
        """Refuse a host that cannot hold such a lab: ``MissingPrerequisiteError`` names package or setting."""
        check_packages(cls.required_commands)
        check_namespaces()

    @property
    def emulator_pid(self) -> int:
        """The lab's first process, as this host numbers it."""
        return int(self.state.resolve(strict=False).parts[2]) if self._launched is None else self._launched.emulator_pid

    def workload(self, cluster: str) -> list[dict[str, Any]]:
        """Return a probe pod for every node, and what belongs to them."""
        return probe_manifests(self.topology.cluster(cluster))

    def addresses(self, place: str) -> tuple[IPAddress, ...]:
        """Return what the topology gives a node or the outsider."""
        return place_addresses(self.topology, place)

    def describe(self) -> Mapping[str, str]:
        """Return kernel, Python and the emulator's own versions."""
        return {
            "kernel": platform.release(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            **self._facts.get("versions", {}),
        }

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once and wait for each one's end."""
        return self._probe(probes, self._control)

    def _probe(self, probes: Sequence[Probe], control: ControlClient) -> list[Observation]:
        if not probes:
            return []
        longest = max(probe.timeout for probe in probes)
        asked = {"probes": [probe_to_json(probe) for probe in probes]}
        answers = control.call("probe", asked, timeout=longest + _CALL_MARGIN * self._patience)
        return [observation_from_json(probe, answer) for probe, answer in zip(probes, answers, strict=True)]

    def probe_in_background(self, probes: Sequence[Probe]) -> Callable[[], list[Observation]]:
        """Send probes over a connection of their own, in a thread of their own."""
        control = ControlClient(self.state)
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="probes in background")
        answers = executor.submit(self._probe, list(probes), control)
        answers.add_done_callback(lambda _: control.close())
        executor.shutdown(wait=False)
        return answers.result

    def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what the receiver at ``place`` saw of these nonces."""
        answers = self._call("sightings", {"place": place, "nonces": list(nonces)})
        return [sighting_from_json(answer) for answer in answers]

    @contextmanager
    def flows(self, flows: Sequence[NumberedFlow]) -> Iterator[FlowReader]:
        """Send numbered flows; a crash of this process ends them too."""
        self._call("flows.start", {"flows": [flow_to_json(flow) for flow in flows]})
        try:
            yield _Flows(flows, self._call)
        finally:
            self._call("flows.forget", {"ids": [flow.id for flow in flows]})

    @contextmanager
    def cut(self, source: str, destination: str) -> Iterator[None]:
        """Drop what site ``source`` sends to site ``destination``; a crash of this process heals it too."""
        direction = {"source": source, "destination": destination}
        self._call("cut", direction)
        try:
            yield
        finally:
            self._call("heal", direction)

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let a fault be in force; a crash of this process ends it too."""
        wait = _NODE_CHANGE * self._patience if isinstance(fault, NodeAdded | NodeRemoved | NodeCrash) else 0.0
        started = self._call("fault.start", {"fault": fault_to_json(fault)}, wait=wait)
        try:
            self._follow(fault)
            yield
        finally:
            self._call("fault.stop", {"id": started["id"]}, wait=wait)
            self._follow(fault)

    def _follow(self, fault: Fault) -> None:
        """Learn which nodes there are now, if the fault has changed that."""
        if isinstance(fault, NodeAdded | NodeRemoved):
            self.topology = with_nodes_of(self.topology, self._call("nodes"))

    def inject(self, place: str, packets: Sequence[bytes]) -> None:
        """Emit complete IP packets from a place, in order."""
        encoded = [base64.b64encode(packet).decode() for packet in packets]
        self._call("inject", {"place": place, "packets": encoded})

    @contextmanager
    def capture(self, where: str) -> Iterator[Path]:
        """Capture at ``where``; the file is complete when the context is left and lives as long as the lab."""
        started = self._call("capture.start", {"where": where})
        try:
            yield self.state / started["file"]
        finally:
            ended = self._call("capture.stop", {"id": started["id"]})
        if ended["dropped"]:  # reached only if the context did not raise: then that is what matters
            raise LabError(f"the capture lost {ended['dropped']} frames", where=where)

    def node_state(self, cluster: str, node: str) -> Mapping[str, object]:
        """Return what ``python -m l3conf.probes.node_state`` says on a node."""
        seconds = _NODE_STATE * self._patience
        asked = {"cluster": cluster, "node": node, "timeout": seconds}
        state = self._call("node_state", asked, wait=seconds)
        if not isinstance(state, dict):
            raise LabError("the node's state is not a mapping", where=f"{cluster}@{node}")
        return state

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Run a command at a place; it is ended after ``timeout`` seconds (of a quick machine) with exit code 124."""
        timeout *= self._patience
        answer = self._call("run", {"place": place, "argv": list(argv), "timeout": timeout}, wait=timeout)
        return answer["code"], answer["stdout"], answer["stderr"]

    def status(self) -> dict[str, Any]:
        """Return nodes and pods of every cluster, as ``l3conf lab status`` shows them."""
        answer: dict[str, Any] = self._call("status")
        return answer

    def keep_capture(self, file: Path, target: Path) -> Path:
        """Copy a capture out of the lab, which takes its own files with it when it ends."""
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
            temporary = Path(copy.name)
        shutil.copyfile(file, temporary)
        return temporary.rename(target)

    def _call(self, method: str, params: dict[str, Any] | None = None, *, wait: float = 0.0) -> Any:  # noqa: ANN401
        return self._control.call(method, params, timeout=wait + _CALL_MARGIN * self._patience)

    def close(self) -> None:
        """End a lab that this process started; hang up on one that it attached to."""
        self._control.close()
        if self._launched is not None:
            self._launched.close()
