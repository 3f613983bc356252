"""Builds the ground: networks, the outsider, clusters side by side, routers; and finds one that was kept.

Whatever fails takes away all that was made; whatever is killed leaves labels, by which the next run does it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.labs.base import ClusterAccess
from l3conf.labs.kind import cluster_config, leftovers, site_routers
from l3conf.labs.kind.commands import kubectl_apply
from l3conf.labs.kind.containers import full_name, outsider_plan, outsider_probe_plan, router_container
from l3conf.labs.kind.members import Member, as_made, member_server, not_ready
from l3conf.labs.kind.naming import KIND_CLUSTER_LABEL, KIND_ROLE_LABEL, LAB_LABEL
from l3conf.labs.kind.networks import networks_of
from l3conf.labs.kind.settings import KINDNET
from l3conf.model.topology import Topology
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.probes.manifests import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from l3conf.labs.kind.commands import Kind
    from l3conf.labs.kind.engine import Engine
    from l3conf.labs.kind.naming import Names
    from l3conf.labs.kind.settings import KindSettings
    from l3conf.labs.kind.site_routers import RouterPlan
    from l3conf.model.topology import ClusterSpec

_API_SECONDS = 10.0
_READY_SECONDS = 300.0
"""For all nodes of a cluster, once kind is done: a network plugin's images are pulled meanwhile."""
_LOOK = 1.0
_AT_ONCE = 4
"""Clusters that are made side by side: kind's nodes boot a whole system each."""
_NODES = "/api/v1/nodes"


@dataclass(slots=True, kw_only=True)
class Ground:
    """A lab's networks, containers and clusters."""

    topology: Topology
    """As the file has it."""
    settings: KindSettings
    names: Names
    engine: Engine
    kind: Kind
    folder: Path
    patience: float = 1.0
    progress: Callable[[str], None] = lambda _stage: None
    members: dict[str, Member] = field(default_factory=dict)
    accesses: dict[str, ClusterAccess] = field(default_factory=dict)
    routers: dict[str, RouterPlan] = field(default_factory=dict)
    broker: ClusterAccess | None = None
    node_image: str = ""
    """Of the nodes that run: it has all tools that routers need."""
    _over: threading.Event = field(default_factory=threading.Event)

    def stand(self) -> None:
        """Use the lab that was kept, if it is whole; else remove what is left of others, and build."""
        try:
            if self._is_kept():
                self.progress("the clusters of an earlier run stand")
                self._make_clusters(have=True)
            else:
                self.remove_others()
                self.remove()
                self._build()
            self._connect()
        except BaseException:
            self.kind.interrupt()
            self.progress("removing what was made")
            self.remove()
            raise

    def remove_others(self) -> None:
        """Remove what other labs left that are dead for certain."""
        left = leftovers.judge(*leftovers.find(self.engine), owner=self.names.owner, spared=self.names.lab)
        for line in left.kept:
            self.progress(line)
        leftovers.remove(self.engine, left, self.progress)

    def remove(self) -> None:
        """Remove everything of this lab. ``LabError`` names what could not be."""
        left = leftovers.judge(*leftovers.find(self.engine), owner=self.names.owner, only=self.names.lab)
        leftovers.remove(self.engine, left)

    def loosen(self) -> None:
        """Remove what a lab that is kept makes anew each time. That it is gone says that the run ended in order."""
        for one in self.engine.containers(f"{LAB_LABEL}={self.names.lab}"):
            self.engine.remove(one.name)

    def _is_kept(self) -> bool:
        """Say whether all networks and running nodes are there, and nothing that a run takes away when it ends."""
        mine = f"{LAB_LABEL}={self.names.lab}"
        networks = {one.name for one in self.engine.networks(mine)}
        if networks != {plan.name for plan in networks_of(self.topology, self.names)} or self.engine.containers(mine):
            return False
        wanted = {self._control_plane(self.names.broker)}
        for cluster in self.topology.clusters:
            wanted.add(self._control_plane(self.names.cluster(cluster.name)))
            wanted |= {self.names.node(cluster.name, place) for place in range(len(cluster.nodes))}
        return all(self._runs(name) for name in wanted)

    def _runs(self, container: str) -> bool:
        try:
            state = self.engine.inspect(container)["State"]
        except LookupError:
            return False
        return bool(state.get("Running")) and not state.get("Paused")

    def _build(self) -> None:
        for plan in networks_of(self.topology, self.names):
            self.engine.make_network(plan)
        self._make_clusters(have=False)

    def _make_clusters(self, *, have: bool) -> None:
        """Make clusters side by side, the broker's among them; the first that fails ends the others."""
        specs: list[ClusterSpec | None] = [None, *self.topology.clusters]
        with ThreadPoolExecutor(min(_AT_ONCE, len(specs)), thread_name_prefix="clusters of kind") as pool:
            making = [pool.submit(self._make_cluster, spec, have=have) for spec in specs]
            try:
                wait(making, return_when=FIRST_EXCEPTION)
                for one in making:
                    if one.done():
                        one.result()
            except BaseException:
                self._over.set()
                self.kind.interrupt()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            for one in making:
                one.result()

    def _make_cluster(self, spec: ClusterSpec | None, *, have: bool) -> None:
        """Make the cluster of a member, or of the broker for None, and read what it is like."""
        site = spec.name if spec else "broker"
        name = self.names.cluster(spec.name) if spec else self.names.broker

        def tell(step: str) -> None:
            self.progress(f"{site}: {step}")

        kubeconfig = self.folder / f"{name}.yaml"
        if not have:
            config = (
                cluster_config.member_config(name, spec, self.settings)
                if spec
                else cluster_config.broker_config(name, self.topology, self.settings)
            )
            file = self.folder / f"{name}-config.yaml"
            file.write_text(cluster_config.text_of(config), encoding="utf-8")
            network = name if spec else self.names.wan
            self.kind.create(name, file, self.folder / f"{name}-kind.yaml", network=network, progress=tell)
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(self.kind.kubeconfig(name), encoding="utf-8")
        nodes = [self._control_plane(name)]
        nodes += [self.names.node(spec.name, place) for place in range(len(spec.nodes))] if spec else []
        self.give_images(name, nodes, tell)
        if not have and self.settings.cni != KINDNET:
            for manifest in self.settings.cni_manifests:
                tell(f"applying {manifest}")
                kubectl_apply(kubeconfig, manifest)
        with closing(ClusterAPI(site, kubeconfig, timeout=_API_SECONDS)) as api:
            self.await_nodes(api, nodes, tell)
            if spec is None:
                server = member_server(api.items(_NODES), self.topology)
                self.broker = ClusterAccess(name="broker", kubeconfig=kubeconfig, member_server=server)
                return
            version = str(api.get("/version").get("gitVersion", ""))
            self.members[site] = as_made(spec, self.names, api.items(_NODES), version)
            self.accesses[site] = ClusterAccess(name=site, kubeconfig=kubeconfig)

    def give_images(self, cluster: str, nodes: Sequence[str], tell: Callable[[str], None]) -> None:
        """Copy images to nodes of a cluster, and let the probe's be known by the name that manifests have."""
        tell("loading images")
        images = tuple(dict.fromkeys((self.settings.probe_image, *self.settings.load_images)))
        self.kind.load(cluster, images, nodes=nodes)
        tag = ["ctr", "--namespace", "k8s.io", "images", "tag", "--force", full_name(self.settings.probe_image)]
        for node in nodes:
            code, out, err = self.engine.exec(node, [*tag, full_name(IMAGE)], seconds=20.0 * self.patience)
            if code:
                raise LabError(f"the probe image cannot be tagged: {(err or out).strip()[-300:]}", where=node)

    def await_nodes(self, api: ClusterAPI, nodes: Sequence[str], tell: Callable[[str], None]) -> None:
        """Wait until nodes are Ready. ``LabError`` names those that are not in time."""
        tell("waiting for nodes")
        deadline = time.monotonic() + _READY_SECONDS * self.patience
        while missing := not_ready(api.items(_NODES), nodes):
            if time.monotonic() > deadline:
                seconds = _READY_SECONDS * self.patience
                raise LabError(f"not Ready after {seconds:g} s: {', '.join(missing)}", where=api.name)
            if self._over.wait(_LOOK):
                raise LabError("the lab is being ended", where=api.name)
        tell("ready")

    def _connect(self) -> None:
        """Make the outsider and the routers, and tell everyone the ways between sites."""
        self.progress("routers")
        broker = self._control_plane(self.names.broker)
        self.node_image = str(self.engine.inspect(broker)["Config"]["Image"])
        image = self.settings.router_image or self.node_image
        for plan in (
            outsider_plan(self.topology, self.names, image),
            outsider_probe_plan(self.names, self.settings.probe_image),
        ):
            self.engine.run(plan)
        made = self.as_made
        for cluster in made.clusters:
            router = site_routers.router_plan(made, cluster, self.names, self.members[cluster.name].slices)
            self.routers[cluster.name] = router
            self.engine.run(router_container(router, self.names, image))
            self.engine.sh(router.name, site_routers.setup_script(router))
            if router.ruleset:
                self.engine.sh(router.name, f"nft -f - <<'END'\n{router.ruleset}\nEND")
            script = site_routers.node_script(cluster)
            for node in self._nodes_of(self.names.cluster(cluster.name)):
                self.engine.sh(node, script)
        self.engine.sh(broker, site_routers.wan_host_script(made, to_pods=False))
        self.engine.sh(self.names.outsider, site_routers.wan_host_script(made, to_pods=True))

    @property
    def as_made(self) -> Topology:
        """The topology with its nodes as they were made."""
        clusters = tuple(self.members[cluster.name].spec for cluster in self.topology.clusters)
        return Topology(
            name=self.topology.name,
            clusters=clusters,
            wan_cidrs=self.topology.wan_cidrs,
            pods_per_node=self.topology.pods_per_node,
        )

    def _nodes_of(self, cluster: str) -> list[str]:
        found = self.engine.containers(f"{KIND_CLUSTER_LABEL}={cluster}")
        return [one.name for one in found if one.labels.get(KIND_ROLE_LABEL) in {"control-plane", "worker"}]

    @staticmethod
    def _control_plane(cluster: str) -> str:
        return f"{cluster}-control-plane"
