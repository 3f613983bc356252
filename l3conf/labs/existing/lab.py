"""Clusters that exist as a lab: found through their APIs, probed through pods, left as they were."""

from __future__ import annotations

import datetime as dt
import os
import platform
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.labs.base import Capability, ClusterAccess
from l3conf.labs.existing.flows import PodFlows
from l3conf.labs.existing.ground import find_ground
from l3conf.labs.existing.holding import Claim, clean, remove
from l3conf.labs.existing.matching import stand_for
from l3conf.labs.existing.objects import RunObjects, subject_of
from l3conf.labs.existing.sessions import COMMAND, PodSession
from l3conf.labs.existing.unprivileged import Unprivileged
from l3conf.labs.existing.waiting import await_ready
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.probes.messages import observation_from_json, probe_to_json, sighting_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.continuity import NumberedFlow
    from l3conf.labs.base import FlowReader
    from l3conf.labs.existing.ground import Ground
    from l3conf.labs.existing.settings import ExistingSettings
    from l3conf.model.topology import IPAddress, Topology
    from l3conf.observation import Observation, Probe, Sighting

_API_SECONDS = 10.0
_ANSWER_SECONDS = 15.0
"""Seconds that a pod's answer may take beyond the work itself."""
_READY_SECONDS = 60.0
"""Seconds for a pod to get ready, its image to be pulled included."""
_REMOVAL_SECONDS = 120.0
_BATCH = 500
"""Probes of one request: other requests get a word in."""


class ExistingLab(Unprivileged):
    """Clusters that exist (``labs.base.Lab``). They outlive every run; its namespaces go when it is closed."""

    def __init__(self, topology: Topology, ground: Ground, settings: ExistingSettings, folder: Path) -> None:
        """Make nothing in a cluster yet. ``folder`` becomes this object's to remove.

        ``LabIncapableError`` if the clusters cannot stand for the topology.
        """
        self.topology = stand_for(topology, ground.clusters, installed=settings.installed)
        self.capabilities = settings.capabilities
        names = [cluster.name for cluster in self.topology.clusters]
        self.clusters: Mapping[str, ClusterAccess] = dict(zip(names, ground.accesses, strict=True))
        self.broker = ground.broker
        self.objects = RunObjects(
            run=secrets.token_hex(4),
            image=settings.probe_image,
            host_network=settings.host_network,
            holder=f"{os.environ.get('USER') or os.getuid()}@{platform.node()} pid {os.getpid()}",
        )
        self.namespace = self.objects.namespace
        self._folder, self._ground = folder, ground
        self._places = {
            place: (cluster.name, *where)
            for cluster in self.topology.clusters
            for place, where in self.objects.places(cluster).items()
        }
        self._addresses = {
            f"{name}@{node}": addresses
            for name, found in zip(names, ground.clusters, strict=True)
            for node, addresses in found.node_addresses.items()
        }
        self._sessions = {
            place: PodSession(place, self._opener(*where), patience=_ANSWER_SECONDS)
            for place, where in self._places.items()
        }
        self._claim: Claim | None = None
        self._closed = False

    @classmethod
    def start(
        cls, topology: Topology, settings: ExistingSettings, progress: Callable[[str], None] = lambda _stage: None
    ) -> ExistingLab:
        """Look at the clusters, and remove what runs left there that were killed."""
        folder = Path(tempfile.mkdtemp(prefix="l3conf-existing-"))
        try:
            progress("looking at the clusters")
            lab = cls(topology, find_ground(settings, folder), settings, folder)
            for api in lab.open_apis():
                for line in clean(api, dt.datetime.now(dt.UTC)):
                    progress(line)
                api.close()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return lab

    def open_apis(self) -> list[ClusterAPI]:
        """Return a client for every cluster; the caller closes them."""
        return [self._open_api(name) for name in self.clusters]

    def _open_api(self, cluster: str) -> ClusterAPI:
        access = self.clusters[cluster]
        return ClusterAPI(cluster, access.kubeconfig, timeout=_API_SECONDS, namespace=self.namespace)

    def _opener(self, cluster: str, namespace: str, pod: str) -> Callable[[], Any]:
        def open_stream() -> Any:  # noqa: ANN401 - a WebSocket
            api = self._open_api(cluster)
            try:
                await_ready(api, namespace, pod, seconds=_READY_SECONDS)
                return api.open_exec(namespace, pod, COMMAND)
            finally:
                api.close()

        return open_stream

    def workload(self, cluster: str) -> list[dict[str, Any]]:
        """Return the run's namespaces in a cluster with all that is in them; from now on they are its to remove."""
        if self._claim is None:
            self._claim = Claim(self.open_apis, self.objects.namespaces)
        user = self._ground.users[list(self.clusters).index(cluster)]
        return self.objects.of(self.topology.cluster(cluster), subject_of(user), dt.datetime.now(dt.UTC))

    def addresses(self, place: str) -> tuple[IPAddress, ...]:
        """Return the InternalIPs of a node; there is no outsider."""
        return self._addresses.get(place, ())

    def describe(self) -> Mapping[str, str]:
        """Return versions and ranges of every cluster; this machine's own kernel carries nothing."""
        found = zip(self.topology.clusters, self._ground.clusters, strict=True)
        lines = {"lab": f"existing: run {self.objects.run}"}
        for spec, one in found:
            cidrs = ", ".join(map(str, (*spec.pod_cidrs, *spec.service_cidrs)))
            of = f"Kubernetes {one.version or 'unknown'}, kernel {' and '.join(one.kernels) or 'unknown'}"
            lines[f"cluster/{spec.name}"] = f"{of}; {len(spec.nodes)} nodes; {cidrs}"
        return lines

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once, each from its pod, and wait for each one's end."""
        by_place: dict[str, list[int]] = {}
        for index, probe in enumerate(probes):
            self._check_receiver(probe.destination)
            by_place.setdefault(probe.source, []).append(index)
        sessions = {place: self._session(place) for place in by_place}
        if not sessions:
            return []
        with ThreadPoolExecutor(len(sessions), thread_name_prefix="probes") as pool:  # streams open side by side
            parts = pool.map(
                lambda place: self._run(sessions[place], [probes[index] for index in by_place[place]]), by_place
            )
            seen = {
                index: one
                for indices, part in zip(by_place.values(), parts, strict=True)
                for index, one in zip(indices, part, strict=True)
            }
        return [seen[index] for index in range(len(probes))]

    @staticmethod
    def _run(session: PodSession, probes: Sequence[Probe]) -> list[Observation]:
        batches = [probes[start : start + _BATCH] for start in range(0, len(probes), _BATCH)]
        replies = [session.begin("run", probes=[probe_to_json(probe) for probe in batch]) for batch in batches]
        longest = max(probe.timeout for probe in probes)
        return [
            observation_from_json(probe, value)
            for batch, reply in zip(batches, replies, strict=True)
            for probe, value in zip(batch, session.result(reply, longest), strict=True)
        ]

    def probe_in_background(self, probes: Sequence[Probe]) -> Callable[[], list[Observation]]:
        """Send probes in a thread of their own; streams carry several requests at once."""
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="probes in background")
        answers = executor.submit(self.probe, list(probes))
        executor.shutdown(wait=False)
        return answers.result

    def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what the receiver at ``place`` saw of these nonces."""
        values = self._session(place).ask("sightings", place=place, nonces=list(nonces))
        return [sighting_from_json(value) for value in values]

    @contextmanager
    def flows(self, flows: Sequence[NumberedFlow]) -> Iterator[FlowReader]:
        """Send numbered flows between pods."""
        for flow in flows:
            self._check_receiver(flow.destination)
        places = dict.fromkeys(place for flow in flows for place in (flow.source, *flow.receivers))
        running = PodFlows(flows, {place: self._session(place) for place in places})
        running.start()
        try:
            yield running
        finally:
            running.forget()

    def close(self) -> None:
        """Remove everything that the run made, and wait until it is gone. Idempotent; ``LabError`` if it is not."""
        if self._closed:
            return
        self._closed = True
        for session in self._sessions.values():
            session.close()
        if self._claim is not None:
            self._claim.close()
        errors: list[LabError] = []
        for api in self.open_apis() if self._claim is not None else ():
            try:
                remove(api, self.objects.namespaces, seconds=_REMOVAL_SECONDS)
            except LabError as error:  # the other clusters are to be left clean all the same
                errors.append(error)
            finally:
                api.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if errors:
            raise errors[0]

    def _session(self, place: str) -> PodSession:
        """Return the conversation with a place. ``LabIncapableError`` if no pod of this run is there."""
        session = self._sessions.get(place)
        if session is None:
            if place == "@outsider":
                self.cannot(Capability.OUTSIDER)
            if place in self._addresses:
                self.cannot(Capability.HOSTS)
            raise LabError("there is no such place", where=place)
        return session

    def _check_receiver(self, destination: IPAddress) -> None:
        """Refuse probes to nodes on which nothing of this run listens: their silence would say nothing."""
        if Capability.HOSTS in self.capabilities:
            return
        if any(destination in addresses for addresses in self._addresses.values()):
            self.cannot(Capability.HOSTS)
