"""Clusters that exist as a lab: found through their APIs, probed through pods, left as they were."""

from __future__ import annotations

import datetime as dt
import os
import platform
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.labs.base import Capability, ClusterAccess
from l3conf.labs.existing.ground import find_ground
from l3conf.labs.existing.holding import Claim, clean, remove
from l3conf.labs.existing.matching import stand_for
from l3conf.labs.existing.objects import RunObjects, subject_of
from l3conf.labs.existing.pod_lab import PodLab, no_such_place
from l3conf.labs.existing.unprivileged import Unprivileged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.labs.existing.ground import Ground
    from l3conf.labs.existing.sessions import Stream
    from l3conf.labs.existing.settings import ExistingSettings
    from l3conf.model.topology import IPAddress, Topology

_REMOVAL_SECONDS = 120.0


class ExistingLab(Unprivileged, PodLab):
    """Clusters that exist (``labs.base.Lab``). They outlive every run; its namespaces go when it is closed."""

    def __init__(self, topology: Topology, ground: Ground, settings: ExistingSettings, folder: Path) -> None:
        """Make nothing in a cluster yet. ``folder`` becomes this object's to remove.

        ``LabIncapableError`` if the clusters cannot stand for the topology.
        """
        super().__init__()
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

    def close(self) -> None:
        """Remove everything that the run made, and wait until it is gone. Idempotent; ``LabError`` if it is not."""
        if self._closed:
            return
        self._closed = True
        self.hang_up()
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

    def opener_of(self, place: str) -> Callable[[], Stream]:
        """Return what opens a stream to a place. ``LabIncapableError`` if no pod of this run is there."""
        if place not in self._places:
            if place == "@outsider":
                self.cannot(Capability.OUTSIDER)
            if place in self._addresses:
                self.cannot(Capability.HOSTS)
            raise no_such_place(place)
        return self.pod_opener(*self._places[place])

    def check_receiver(self, destination: IPAddress) -> None:
        """Refuse probes to nodes on which nothing of this run listens: their silence would say nothing."""
        if Capability.HOSTS in self.capabilities:
            return
        if any(destination in addresses for addresses in self._addresses.values()):
            self.cannot(Capability.HOSTS)
