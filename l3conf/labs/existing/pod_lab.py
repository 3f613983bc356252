"""What a lab does through Kubernetes APIs alone: probes, sightings and numbered flows between pods of the suite's own.

A lab of real clusters derives from this and says where its places are; what no API offers is its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.labs.existing.flows import PodFlows
from l3conf.labs.existing.sessions import COMMAND, PodSession
from l3conf.labs.existing.waiting import await_ready
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.probes.messages import observation_from_json, probe_to_json, sighting_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.continuity import NumberedFlow
    from l3conf.labs.base import ClusterAccess, FlowReader
    from l3conf.labs.existing.sessions import Stream
    from l3conf.model.topology import IPAddress
    from l3conf.observation import Observation, Probe, Sighting

_API_SECONDS = 10.0
_ANSWER_SECONDS = 15.0
"""Seconds that a pod's answer may take beyond the work itself."""
_READY_SECONDS = 60.0
"""Seconds for a pod to get ready, its image to be pulled included."""
_BATCH = 500
"""Probes of one request: other requests get a word in."""


class PodLab:
    """The part of a lab that is in pods. ``clusters`` and ``namespace`` are the deriving class's to set."""

    clusters: Mapping[str, ClusterAccess]
    namespace: str

    def __init__(self) -> None:
        """Open nothing yet."""
        self._sessions: dict[str, PodSession] = {}

    def opener_of(self, place: str) -> Callable[[], Stream]:
        """Return what opens a stream to the probe server at a place. Errors say why there is none."""
        raise NotImplementedError

    def check_receiver(self, destination: IPAddress) -> None:
        """Refuse probes to where nothing of this lab listens: their silence would say nothing."""

    def open_apis(self) -> list[ClusterAPI]:
        """Return a client for every cluster; the caller closes them."""
        return [self.open_api(name) for name in self.clusters]

    def open_api(self, cluster: str) -> ClusterAPI:
        """Return a client for a cluster; the caller closes it."""
        access = self.clusters[cluster]
        return ClusterAPI(cluster, access.kubeconfig, timeout=_API_SECONDS, namespace=self.namespace)

    def pod_opener(self, cluster: str, namespace: str, pod: str) -> Callable[[], Stream]:
        """Return what opens a stream to the probe server in a pod, once that is ready."""

        def open_stream() -> Any:  # noqa: ANN401 - a WebSocket
            api = self.open_api(cluster)
            try:
                await_ready(api, namespace, pod, seconds=_READY_SECONDS)
                return api.open_exec(namespace, pod, COMMAND)
            finally:
                api.close()

        return open_stream

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once, each from its place, and wait for each one's end."""
        by_place: dict[str, list[int]] = {}
        for index, probe in enumerate(probes):
            self.check_receiver(probe.destination)
            by_place.setdefault(probe.source, []).append(index)
        sessions = {place: self.session(place) for place in by_place}
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
        values = self.session(place).ask("sightings", place=place, nonces=list(nonces))
        return [sighting_from_json(value) for value in values]

    @contextmanager
    def flows(self, flows: Sequence[NumberedFlow]) -> Iterator[FlowReader]:
        """Send numbered flows between places."""
        for flow in flows:
            self.check_receiver(flow.destination)
        places = dict.fromkeys(place for flow in flows for place in (flow.source, *flow.receivers))
        running = PodFlows(flows, {place: self.session(place) for place in places})
        running.start()
        try:
            yield running
        finally:
            running.forget()

    def session(self, place: str) -> PodSession:
        """Return the conversation with a place. ``LabIncapableError`` if none can be had there."""
        known = self._sessions.get(place)
        if known is None:
            opener = self.opener_of(place)
            known = self._sessions[place] = PodSession(place, opener, patience=_ANSWER_SECONDS)
        return known

    def hang_up(self) -> None:
        """End all conversations. Idempotent."""
        for session in self._sessions.values():
            session.close()


def no_such_place(place: str) -> LabError:
    """Return the error for a place that is in none of a lab's clusters."""
    return LabError("there is no such place", where=place)
