"""Nodes that lose power, come and go: containers that are killed, started, and made like those that kind made.

kind itself has no way to add a node to a cluster. A new one is a copy of a worker's container; it joins by kubeadm with
the worker's own configuration, in which name, addresses and token are its own. What releases differ in is copied.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.errors import LabError
from l3conf.labs.existing.found import GATEWAY_LABEL
from l3conf.labs.kind import site_routers
from l3conf.labs.kind.members import slices_of
from l3conf.model.addressing import node_addresses
from l3conf.model.roster import with_node, without_node
from l3conf.model.topology import NodeSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.labs.kind.ground import Ground
    from l3conf.model.faults import NodeAdded, NodeCrash, NodeRemoved
    from l3conf.model.topology import ClusterSpec, IPAddress, Topology
    from l3conf.plugin.cluster_api import ClusterAPI

_NODES = "/api/v1/nodes"
_CONFIG = "/kind/kubeadm.conf"
"""Where kind leaves kubeadm's configuration in a node (kind, actions/config)."""
_BOOT, _JOIN = 60.0, 180.0
_LOOK = 1.0
_FIRST_ADDED = 118
"""Numbers of nodes that a test adds begin here: their addresses follow docker's own choices, and collide with none."""


@dataclass(slots=True)
class Machines:
    """The nodes of one lab. ``topology`` is the lab's, with the nodes that there are now."""

    ground: Ground
    open_api: Callable[[str], ClusterAPI]
    topology: Topology
    _added: int = 0

    @contextmanager
    def crashed(self, fault: NodeCrash) -> Iterator[None]:
        """Take the power from a node until the context is left."""
        cluster = self.topology.cluster(fault.cluster)
        addresses = self._addresses(cluster, fault.node)
        engine, network = self.ground.engine, self._network(fault.cluster)
        engine.kill(fault.node)
        # A stopped container gives its addresses back; it is to boot with the same.
        engine.disconnect(fault.node, network)
        try:
            yield
        finally:
            engine.connect_to(fault.node, network, addresses)
            engine.start(fault.node)
            self._await_boot(fault.node)
            engine.sh(fault.node, site_routers.node_script(cluster))

    @contextmanager
    def added(self, fault: NodeAdded) -> Iterator[None]:
        """Have a node more until the context is left."""
        cluster = self.topology.cluster(fault.cluster)
        self._added += 1
        name = fault.node or f"{self._network(fault.cluster)}-added{self._added}"
        node = NodeSpec(name=name, gateway=fault.gateway)
        before = {"": _FIRST_ADDED - 1 + self._added - 1}
        after = with_node(self.topology, fault.cluster, node, departed=before)
        like = self.ground.engine.inspect(cluster.nodes[0].name)
        try:
            self._join(after, fault.cluster, name, like, cluster.nodes[0].name)
            self.topology = after
            yield
        finally:
            self.topology = without_node(after, fault.cluster, name)
            self._remove(fault.cluster, name)

    @contextmanager
    def removed(self, fault: NodeRemoved) -> Iterator[None]:
        """Have a node less; when the context is left a new machine of that name joins."""
        before = self.topology
        after = without_node(before, fault.cluster, fault.node)
        like = self.ground.engine.inspect(fault.node)
        self._remove(fault.cluster, fault.node)
        self.topology = after
        try:
            yield
        finally:
            teacher = self.topology.cluster(fault.cluster).nodes[0].name
            self._join(before, fault.cluster, fault.node, like, teacher)
            self.topology = before

    def _remove(self, cluster: str, node: str) -> None:
        self.ground.engine.remove(node)
        with closing(self.open_api(cluster)) as api:
            api.request("DELETE", f"{_NODES}/{node}")

    def _join(self, topology: Topology, site: str, name: str, like: Mapping[str, Any], teacher: str) -> None:
        """Start a node with the number that ``topology`` gives it, and have it join and get Ready."""
        cluster = topology.cluster(site)
        spec = next(node for node in cluster.nodes if node.name == name)
        addresses = self._addresses(cluster, name)
        engine, network = self.ground.engine, self._network(site)
        engine.clone(like, name, network, addresses)
        self._await_boot(name)
        self.ground.give_images(network, [name], self.ground.progress)
        engine.sh(name, site_routers.node_script(cluster))
        (*_, token) = engine.sh(f"{network}-control-plane", "kubeadm token create", seconds=_BOOT).split() or [""]
        labels = {GATEWAY_LABEL: "true"} if spec.gateway else {}
        config = join_config(
            engine.sh(teacher, f"cat {_CONFIG}"),
            name=name,
            provider=f"kind://docker/{network}/{name}",
            addresses=addresses,
            token=token,
            labels=labels,
        )
        engine.sh(name, f"cat > {_CONFIG} <<'END'\n{config}END\nkubeadm join --config {_CONFIG}", seconds=_JOIN)
        with closing(self.open_api(site)) as api:
            self.ground.await_nodes(api, [name], self.ground.progress)
            slices = slices_of(api.get(f"{_NODES}/{name}"))
        router = site_routers.router_plan(topology, cluster, self.ground.names, {name: slices})
        engine.sh(router.name, "\n".join(way.command() for way in router.ways if way.to in slices) or "true")

    def _await_boot(self, node: str) -> None:
        """Wait until a node's container runtime answers. ``LabError`` if it does not."""
        deadline = time.monotonic() + _BOOT * self.ground.patience
        while self.ground.engine.exec(node, ["crictl", "info"], seconds=_LOOK * 5)[0]:
            if time.monotonic() > deadline:
                raise LabError(f"the node has not booted after {_BOOT * self.ground.patience:g} s", where=node)
            time.sleep(_LOOK)

    def _network(self, site: str) -> str:
        return self.ground.names.cluster(site)

    @staticmethod
    def _addresses(cluster: ClusterSpec, node: str) -> tuple[IPAddress, ...]:
        return node_addresses(cluster, cluster.number_of(node))


def join_config(
    text: str, *, name: str, provider: str, addresses: Sequence[IPAddress], token: str, labels: Mapping[str, str]
) -> str:
    """Return the JoinConfiguration of a node, after that of another one as kind wrote it. Pure.

    kubelet's arguments are a mapping in ``kubeadm.k8s.io/v1beta3`` and a list of names and values in ``v1beta4``.
    ``LabError`` if there is none, or none that joins by a token.
    """
    documents = [one for one in yaml.safe_load_all(text) if one and one.get("kind") == "JoinConfiguration"]
    if not token:
        raise LabError("kubeadm has made no token")
    if not documents or "bootstrapToken" not in (documents[0].get("discovery") or {}):
        raise LabError("there is no JoinConfiguration with a token", where=_CONFIG)
    config = documents[0]
    config["discovery"]["bootstrapToken"]["token"] = token
    own = {
        "node-ip": ",".join(map(str, addresses)),
        "provider-id": provider,
        "node-labels": ",".join(f"{key}={value}" for key, value in labels.items()),
    }
    registration = config.setdefault("nodeRegistration", {})
    registration["name"] = name
    arguments = registration.get("kubeletExtraArgs") or {}
    if isinstance(arguments, list):
        others = [one for one in arguments if one["name"] not in own]
        registration["kubeletExtraArgs"] = others + [{"name": key, "value": value} for key, value in own.items()]
    else:
        registration["kubeletExtraArgs"] = arguments | own
    return str(yaml.safe_dump(config, sort_keys=False))
