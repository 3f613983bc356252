"""Global addresses of a cluster set as scenarios ask for them: whom to address, whom to expect, who holds what."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from l3conf import oracle
from l3conf.errors import LabError
from l3conf.plugin import allocations
from l3conf.plugin.allocations import addresses_of
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.global_objects import PODS, GlobalObjects
from l3conf.plugin.inventory import SERVICE_NAME
from l3conf.probes.manifests import NODE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.expectations import Pod, Service
    from l3conf.model.topology import IPAddress, IPNetwork
    from l3conf.oracle import Site
    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.lab import Lab


MOST = 20
"""Addresses that one object may ask for."""


@dataclass(frozen=True, slots=True)
class GlobalAddresses:
    """The global addresses of one lab. What a scenario asks for is held for as long as a context is open."""

    lab: Lab

    @property
    def members(self) -> tuple[str, ...]:
        """The members that have global addresses."""
        accepted = oracle.accepted(self.lab.topology, self.lab.members.joined)
        return tuple(name for name in accepted if self.lab.topology.cluster(name).is_translated)

    # Places to address.

    def service(self, cluster: str, *, within: str = "T_allocate", started: float | None = None) -> Service:
        """Return the Service over a member's probe pods at its global address. It stays exported from then on."""
        objects = self._objects(cluster)
        objects.export(SERVICE_NAME)
        held = objects.service(SERVICE_NAME, within, started=started)
        return replace(self.lab.services[cluster], addresses=tuple(addresses_of(held)))

    def services(self, *, within: str = "T_allocate", started: float | None = None) -> dict[str, Service]:
        """Return the Services of all members that have global addresses, by cluster."""
        for member in self.members:
            self._objects(member).export(SERVICE_NAME)
        return {member: self.service(member, within=within, started=started) for member in self.members}

    @contextmanager
    def of_pods(self, *pods: Pod) -> Iterator[tuple[Pod, ...]]:
        """Have pods ask for global addresses of their own while the context is open; yield them at these."""
        with ExitStack() as stack:
            held = [stack.enter_context(self._objects(pod.site.cluster).pod(pod.name)) for pod in pods]
            yield tuple(_at(pod, obj) for pod, obj in zip(pods, held, strict=True))

    @contextmanager
    def headless(self, cluster: str) -> Iterator[tuple[Pod, ...]]:
        """Export a headless Service over a member's probe pods; yield them at their global addresses."""
        with self._objects(cluster).headless() as held:
            yield tuple(_at(pod, held[pod.name]) for pod in self.lab.pods.of(cluster))

    @contextmanager
    def written_down(self, *pods: Pod) -> Iterator[tuple[Pod, ...]]:
        """Export a headless Service of which only addresses are known, those of pods; yield these at global ones.

        As for virtual machines: nobody says that it is pods. When the context ends, the endpoints go.
        """
        (cluster,) = {pod.site.cluster for pod in pods}
        with self._objects(cluster).written_down([str(pod.address()) for pod in pods]) as held:
            yield tuple(_at(pod, held[str(pod.address())]) for pod in pods)

    # Sources to expect.

    @contextmanager
    def egress(self, cluster: str, *, of: Pod | None = None, count: int = 1) -> Iterator[frozenset[IPAddress]]:
        """Ask for egress addresses of one probe pod, or of all of a member's, while the context is open; yield them."""
        with self._objects(cluster).egress(count, _selector(of)) as held:
            yield addresses_of(held)

    def cluster_egress(self, cluster: str) -> frozenset[IPAddress]:
        """Return the egress addresses of a whole member."""
        found = self._objects(cluster).read().cluster_egress
        return frozenset(one for obj in found for one in addresses_of(obj))

    def sources(self) -> dict[Site, frozenset[IPAddress]]:
        """Return as which addresses other clusters may see each probe pod now, of members with global addresses."""
        found: dict[Site, frozenset[IPAddress]] = {}
        for member in self.members:
            held = self._objects(member).read()
            objects = {obj["metadata"]["name"]: obj for obj in self.lab.apis[member].items(PODS)}
            found |= {pod.site: held.seen_as(objects[pod.name]) for pod in self.lab.pods.of(member)}
        return found

    # Who holds what.

    def held(self) -> dict[str, dict[str, frozenset[IPAddress]]]:
        """Return the addresses that each object holds, by member and name."""
        return {member: self._objects(member).read().held for member in self.members}

    def taken(self) -> frozenset[IPAddress]:
        """Return all addresses that any object holds."""
        return frozenset(one for objects in self.held().values() for held in objects.values() for one in held)

    def moved(self, before: dict[str, dict[str, frozenset[IPAddress]]]) -> list[str]:
        """Return the objects that do not hold what they held."""
        now = self.held()
        return [
            f"{member}: {name} held {_listed(held)}, holds {_listed(now.get(member, {}).get(name, frozenset()))}"
            for member, objects in before.items()
            for name, held in objects.items()
            if now.get(member, {}).get(name) != held
        ]

    def faults(self) -> list[str]:
        """Return the addresses that are held twice, lie beside what their member published, or in use elsewhere."""
        topology = self.lab.topology
        in_use = {
            cluster.name: (*cluster.pod_cidrs, *cluster.service_cidrs, *cluster.node_cidrs)
            for cluster in topology.clusters
            if cluster.name in self.lab.members.joined
        }
        return allocations.faults(self.held(), {member: self._published(member) for member in self.members}, in_use)

    @contextmanager
    def too_many(self, cluster: str) -> Iterator[Demand]:
        """Ask for one address more than a member can have left while the context is open."""
        objects, size = self._objects(cluster), sum(cidr.num_addresses for cidr in self._published(cluster))
        count = size - sum(map(len, objects.read().held.values())) + 1
        if not 0 < count <= MOST:
            raise LabError(f"{count} addresses would be too many, and one object takes {MOST}", where=cluster)
        with objects.demand(count) as path:
            yield Demand(objects, path)

    def _objects(self, cluster: str) -> GlobalObjects:
        return GlobalObjects(self.lab.apis[cluster], self.lab.harness)

    def _published(self, member: str) -> tuple[IPNetwork, ...]:
        """Return the global ranges in a member's own Cluster object."""
        own = [obj["spec"] for obj in self.lab.apis[member].items(f"{GROUP}/clusters")]
        return tuple(
            ip_network(text)
            for spec in own
            if spec.get("cluster_id") == member
            for text in spec.get("global_cidr") or []
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """A GlobalEgressIP that cannot be satisfied."""

    objects: GlobalObjects
    path: str

    def unrefused(self) -> list[str]:
        """Return what is missing for it to say that it has got nothing, and why."""
        return allocations.unrefused(self.objects.api.get(self.path))


def _at(pod: Pod, held: Object) -> Pod:
    return replace(pod, addresses=tuple(addresses_of(held)), at_home=pod)


def _selector(pod: Pod | None) -> dict[str, Any] | None:
    return None if pod is None else {"matchLabels": {NODE_LABEL: pod.site.node}}


def _listed(addresses: frozenset[IPAddress]) -> str:
    return ", ".join(map(str, sorted(addresses, key=int))) or "nothing"
