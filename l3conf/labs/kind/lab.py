"""Clusters of kind as a lab: probes through pods as everywhere, everything else through docker."""

from __future__ import annotations

import base64
import json
import platform
import shutil
import tempfile
import threading
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.existing.pod_lab import PodLab, no_such_place
from l3conf.labs.existing.sessions import COMMAND
from l3conf.labs.kind import preflight
from l3conf.labs.kind.captures import Captures
from l3conf.labs.kind.claim import Claim, owner
from l3conf.labs.kind.commands import Kind
from l3conf.labs.kind.containers import OUTSIDER_PLACE
from l3conf.labs.kind.engine import Engine
from l3conf.labs.kind.ground import Ground
from l3conf.labs.kind.inflict import Faults
from l3conf.labs.kind.machines import Machines
from l3conf.labs.kind.naming import names_of
from l3conf.labs.kind.objects import OWN_NAMESPACES, place_in, workload
from l3conf.labs.kind.pod_commands import run_in_pod
from l3conf.labs.kind.site_routers import outsider_addresses
from l3conf.labs.kind.standing import check_standing
from l3conf.model.addressing import node_addresses
from l3conf.model.faults import Cut
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.plugin.inventory import installed_objects
from l3conf.probes.manifests import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.labs.base import ClusterAccess
    from l3conf.labs.existing.sessions import Stream
    from l3conf.labs.kind.settings import KindSettings
    from l3conf.model.faults import Fault
    from l3conf.model.topology import IPAddress, Topology

_STATE_SECONDS = 40.0
_NAMESPACES = "/api/v1/namespaces"
_API_SECONDS = 10.0
_MOST_NAMES = 5


class KindLab(PodLab):
    """A running cluster set of kind (``labs.base.Lab``)."""

    kind = "kind"
    namespace = NAMESPACE

    def __init__(self, ground: Ground, claim: Claim, *, version: str) -> None:
        """Take over a ground that stands, and the claim on it."""
        super().__init__()
        if ground.broker is None:
            raise LabError("the ground has no broker", where="kind")
        self.capabilities = ground.settings.capabilities
        self.clusters: Mapping[str, ClusterAccess] = dict(ground.accesses)
        self.broker = ground.broker
        self._ground, self._claim, self._version = ground, claim, version
        self.topology = ground.as_made
        self._machines = Machines(ground, self.open_api, self.topology)
        self._faults = Faults(ground, self._machines, self.open_api)
        self._captures = Captures(ground)
        self._before = self._installed() if ground.settings.keep_clusters else frozenset()
        self._closed = False

    @classmethod
    def start(
        cls,
        topology: Topology,
        settings: KindSettings,
        *,
        patience: float = 1.0,
        progress: Callable[[str], None] = lambda _stage: None,
    ) -> KindLab:
        """Build the topology and return once every node is Ready.

        ``LabIncapableError`` if docker and kind cannot make it, ``UserError`` for what the caller can mend.
        """
        settings.check()
        check_standing(topology, settings)
        telling = threading.Lock()

        def tell(stage: str) -> None:
            with telling:  # clusters are made in threads
                progress(stage)

        with ExitStack() as undo:
            engine, kind = Engine.connect(), Kind()
            undo.callback(engine.close)
            version = ".".join(map(str, kind.version()))
            facts = preflight.look(engine, settings)
            if short := preflight.memory_problems(facts, len(topology.clusters) + 1):
                raise LabIncapableError(str(short[0]), where=topology.name)
            claim = Claim(str(facts.info.get("ID", "")))
            undo.callback(claim.close)
            folder = Path(tempfile.mkdtemp(prefix="l3conf-kind-"))
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            ground = Ground(
                topology=topology,
                settings=settings,
                names=names_of(topology, settings, owner()),
                engine=engine,
                kind=kind,
                folder=folder,
                patience=patience,
                progress=tell,
            )
            ground.stand()
            lab = cls(ground, claim, version=version)
            undo.pop_all()
        return lab

    def workload(self, cluster: str) -> list[dict[str, Any]]:
        """Return a probe pod for every node, one in every node's own network, and what belongs to them."""
        return workload(self.topology.cluster(cluster))

    def addresses(self, place: str) -> tuple[IPAddress, ...]:
        """Return the underlay addresses of a node or of the outsider."""
        if place == OUTSIDER_PLACE:
            return outsider_addresses(self.topology)
        name, _, node = place.partition("@")
        cluster = self.topology.cluster(name)
        return node_addresses(cluster, cluster.number_of(node))

    def describe(self) -> Mapping[str, str]:
        """Return versions of everything that packets and objects pass."""
        info = self._ground.engine.info()
        lines = {
            "kernel": str(info.get("KernelVersion", "unknown")),
            "python": platform.python_version(),
            "docker": str(info.get("ServerVersion", info.get("Version", "unknown"))),
            "kind": self._version,
            "cni": self._ground.settings.cni,
            "nodeImage": self._ground.node_image,
        }
        for name, member in self._ground.members.items():
            lines[f"cluster/{name}"] = f"Kubernetes {member.version}, kernel {' and '.join(member.kernels)}"
        return lines

    def opener_of(self, place: str) -> Callable[[], Stream]:
        """Return what opens a stream to the probe server at a place."""
        if place == OUTSIDER_PLACE:
            container = f"{self._ground.names.outsider}-probe"
            return lambda: self._ground.engine.open(container, COMMAND)[0]
        for cluster in self.clusters:
            where = place_in(place, cluster)
            if where is not None:
                return self.pod_opener(cluster, *where)
        raise no_such_place(place)

    def cut(self, source: str, destination: str) -> AbstractContextManager[None]:
        """Drop everything that site ``source`` sends to site ``destination`` while the context is open."""
        return self._faults.in_force(Cut(source=source, destination=destination))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let a fault be in force while the context is open."""
        try:
            with self._faults.in_force(fault):
                self.topology = self._machines.topology
                yield
        finally:
            self.topology = self._machines.topology

    def inject(self, place: str, packets: Sequence[bytes]) -> None:
        """Emit complete IP packets from a place, in order, whatever their source."""
        session = self.session(place)
        for packet in packets:
            session.ask("raw", place=place, packet=base64.b64encode(packet).decode())

    def capture(self, where: str) -> AbstractContextManager[Path]:
        """Write a pcap of the WAN or of a node while the context is open."""
        return self._captures.at(where)

    def node_state(self, cluster: str, node: str) -> Mapping[str, object]:
        """Return what ``python -m l3conf.probes.node_state`` says in the pod in a node's own network.

        ``LabIncapableError`` if its image has no tools to read with: what is not read cannot be left behind.
        """
        argv = ["python3", "-m", "l3conf.probes.node_state"]
        code, out, err = self.run(f"{cluster}@{node}", argv, timeout=_STATE_SECONDS * self._ground.patience)
        if code:
            raise LabError(f"the node's state cannot be read: {err.strip()[-300:]}", where=f"{cluster}@{node}")
        state: dict[str, object] = json.loads(out)
        missing = [path.removeprefix("missing/") for path in ("missing/ip", "missing/nft") if state.get(path)]
        if missing:
            what = f"the probe image has no {' and no '.join(missing)}, so nodes' configuration cannot be read"
            raise LabIncapableError(what, where=f"{cluster}@{node}", remedy="--probe-image with iproute2 and nftables")
        return state

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Run a command at a place: a node's in its container, a pod's in the pod."""
        engine = self._ground.engine
        if place == OUTSIDER_PLACE:
            return engine.exec(self._ground.names.outsider, argv, seconds=timeout)
        name, mark, node = place.partition("@")
        if mark and not argv[0].startswith("python"):
            return engine.exec(node, argv, seconds=timeout)
        name = name.partition("/")[0]
        if name not in self.clusters:
            raise no_such_place(place)
        namespace, pod = place_in(place, name) or ("", "")
        with closing(self.open_api(name)) as api:
            return run_in_pod(api, namespace, pod, argv, timeout=timeout)

    def close(self) -> None:
        """End the lab: everything of it, or with ``--keep-clusters`` all but the clusters. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self.hang_up()
            if self._ground.settings.keep_clusters and self._tidied_up():
                self._ground.loosen()
            else:
                self._ground.remove()
        finally:
            shutil.rmtree(self._ground.folder, ignore_errors=True)
            self._ground.engine.close()
            self._claim.close()

    def _tidied_up(self) -> bool:
        """Take the suite's own objects out of clusters that stay; say whether nothing else of the run is left there."""
        for cluster in self.clusters:
            with closing(self.open_api(cluster)) as api:
                for namespace in OWN_NAMESPACES:
                    api.request("DELETE", f"{_NAMESPACES}/{namespace}")
        if left := self._installed() - self._before:
            self._ground.progress(f"the clusters are not kept: {', '.join(sorted(left)[:_MOST_NAMES])} is left in them")
        return not left

    def _installed(self) -> frozenset[str]:
        """Return the cluster-wide objects of all clusters, but for the suite's own namespaces."""
        own = {f"namespace/{name}" for name in OWN_NAMESPACES}
        found: set[str] = set()
        for access in (*self.clusters.values(), self.broker):
            with closing(ClusterAPI(access.name, access.kubeconfig, timeout=_API_SECONDS)) as api:
                found |= {f"{access.name}/{each}" for each in installed_objects(api) - own}
        return frozenset(found)
