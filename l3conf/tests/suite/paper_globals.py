"""Members with global addresses on paper: an API, and an allocator that programs a fake lab's translation."""

from __future__ import annotations

import copy
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.expectations.places import NAMESPACE
from l3conf.plugin.allocations import CLUSTER_EGRESS, ENDPOINT_ADDRESS, Allocations, addresses_of
from l3conf.plugin.cluster_api import Answer
from l3conf.probes.manifests import LABELS, NODE_LABEL

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from l3conf.model.topology import ClusterSpec
    from l3conf.tests.suite.paper_lab import PaperGround

    Object = dict[str, Any]
    Place = tuple[str, str]

INGRESS, EGRESS, CLUSTER_WIDE = "globalingressips", "globalegressips", "clusterglobalegressips"
EXPORTS, SERVICES, PODS, SLICES = "serviceexports", "services", "pods", "endpointslices"


class Lapse(enum.Enum):
    """What an implementation of global addresses can get wrong."""

    RESTLESS = "a released address goes to the next who asks"
    TWICE = "an address is given to two"
    BESIDE = "addresses lie beside the range that was published"
    GREEDY = "an object that asks for too much gets what is left"
    SILENT = "nothing is said of an object that gets nothing"
    RESTARTED = "agents that start again give everybody another address"
    ROBBED = "an object that asks for too much takes the addresses of others"
    BLUNT = "all pods are seen as their cluster"
    UNSELECTIVE = "an object for some pods is taken for one for all"
    MASQUERADED = "all pods are seen as their node"
    SWAPPED = "addresses lead to the pods of the other cluster"
    DEAF = "an export brings no address"
    CLINGING = "an endpoint that is gone keeps its address"


@dataclass
class PaperMember:
    """One member's API; every write is answered by the allocator at once."""

    name: str
    spec: ClusterSpec
    pool: IPv4Network
    stage: PaperGround
    lapses: set[Lapse] = field(default_factory=set)
    objects: dict[Place, Object] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    given: int = 0

    def __post_init__(self) -> None:
        for node in self.spec.nodes:
            labels = {**LABELS, NODE_LABEL: node.name}
            self.objects[PODS, f"probe-{node.name}"] = _named(f"probe-{node.name}", labels=labels)
        if self.spec.is_translated:
            self.objects[CLUSTER_WIDE, CLUSTER_EGRESS] = {**_named(CLUSTER_EGRESS), "spec": {"numGlobalIPs": 8}}
            self._reconcile()

    # What a client sees.

    def items(self, path: str) -> list[Object]:
        kind = path.rsplit("/", 1)[-1]
        if kind in {"clusters", "endpoints"}:
            return [member.published(kind) for member in self.stage.members.values()]
        return copy.deepcopy([obj for (plural, _), obj in self.objects.items() if plural == kind])

    def get(self, path: str) -> Object:
        kind, name = path.split("/")[-2:]
        if (kind, name) not in self.objects:
            raise LookupError(path)
        return copy.deepcopy(self.objects[kind, name])

    def request(self, method: str, path: str, *, body: Object | None = None) -> Answer:
        kind, name = path.split("/")[-2:]
        if method == "POST":
            assert body is not None
            place = path.rsplit("/", 1)[-1], body["metadata"]["name"]
            if place in self.objects:
                return Answer(status=409, body={})
            self.objects[place] = copy.deepcopy(body)
        elif method == "DELETE":
            self._delete((kind, name))
        elif (kind, name) not in self.objects:
            return Answer(status=404, body={})
        self._reconcile()
        return Answer(status=200, body={})

    def close(self) -> None:
        """Do nothing."""

    # What an implementation does.

    def restart(self) -> None:
        if Lapse.RESTARTED in self.lapses:
            for obj in self.objects.values():
                obj.pop("status", None)
        self._reconcile()

    def _delete(self, place: Place) -> None:
        gone = self.objects.pop(place, {})
        self.released += map(str, addresses_of(gone))
        if place[0] == EXPORTS:
            for other in [key for key, obj in self.objects.items() if key[0] == INGRESS and _serves(obj, place[1])]:
                self._delete(other)

    def _reconcile(self) -> None:
        for kind, name in [*self.objects]:
            if kind == EXPORTS and Lapse.DEAF not in self.lapses:
                self._export(name)
        for (kind, _), obj in self.objects.items():
            if kind in {INGRESS, EGRESS, CLUSTER_WIDE} and not obj.get("status"):
                self._allocate(kind, obj)
        self._program()

    def _export(self, service: str) -> None:
        reference = {"serviceRef": {"name": service}}
        if (SERVICES, service) not in self.objects:  # the probe Service, which nobody made here
            self._ensure(service, {"target": "ClusterIPService", **reference})
            return
        if "selector" not in self.objects[SERVICES, service]["spec"]:
            self._export_endpoints(service, reference)
            return
        for node in self.spec.nodes:
            pod = {"podRef": {"name": f"probe-{node.name}"}}
            self._ensure(f"{service}-{node.name}", {"target": "HeadlessServicePod", **reference, **pod})

    def _export_endpoints(self, service: str, reference: Object) -> None:
        written = self.objects.get((SLICES, service), {"endpoints": []})["endpoints"]
        addresses = {each["addresses"][0] for each in written}
        for address in sorted(addresses):
            name = f"{address.replace('.', '-')}.{service}"
            self._ensure(name, {"target": "HeadlessServiceEndpoints", **reference})
            self.objects[INGRESS, name]["metadata"]["annotations"] = {ENDPOINT_ADDRESS: address}
        if Lapse.CLINGING not in self.lapses:
            for place in [key for key, obj in self.objects.items() if key[0] == INGRESS and _serves(obj, service)]:
                if self.objects[place]["metadata"]["annotations"][ENDPOINT_ADDRESS] not in addresses:
                    self._delete(place)

    def _ensure(self, name: str, spec: Object) -> None:
        self.objects.setdefault((INGRESS, name), {**_named(name), "spec": spec})

    def _allocate(self, kind: str, obj: Object) -> None:
        wanted = {INGRESS: 1, EGRESS: obj["spec"].get("numberOfIPs", 1), CLUSTER_WIDE: 8}[kind]
        free = self._free()
        if len(free) < wanted:
            if Lapse.SILENT in self.lapses:
                return
            got = free if Lapse.GREEDY in self.lapses else []
            if Lapse.ROBBED in self.lapses:
                self.objects[CLUSTER_WIDE, CLUSTER_EGRESS]["status"]["allocatedIPs"].pop()
            condition = {"type": "Allocated", "status": "False", "reason": "PoolExhausted", "message": f"{len(free)}"}
            obj["status"] = {"conditions": [condition], "allocatedIPs": got}
            return
        self.given += wanted
        held = {"allocatedIP": free[0]} if kind == INGRESS else {"allocatedIPs": free[:wanted]}
        condition = {"type": "Allocated", "status": "True", "reason": "Allocated", "message": ""}
        obj["status"] = {"conditions": [condition], **held}

    def _free(self) -> list[str]:
        taken = {str(one) for obj in self.objects.values() for one in addresses_of(obj)}
        if Lapse.TWICE in self.lapses:
            taken = set()
        if Lapse.RESTLESS not in self.lapses:
            taken.update(self.released)
        first = [str(self.pool.broadcast_address + 1)] if Lapse.BESIDE in self.lapses else []
        own = [text for text in map(str, self.pool.hosts()) if text not in taken]
        moved = own[self.given :] if Lapse.RESTARTED in self.lapses else own
        return [*(text for text in first if text not in taken), *moved]

    def _program(self) -> None:
        """Let the fake lab's translation do what the objects say."""
        held, translation = (
            Allocations(self.items(INGRESS), self.items(EGRESS), self.items(CLUSTER_WIDE)),
            (self.stage.translation),
        )
        for address in [one for one in translation.places if one in self.pool]:
            del translation.places[address]
        other = next(one.name for one in self.stage.topology.clusters if one.name != self.name)
        for obj in held.ingress:
            pod = (obj["spec"].get("podRef") or {}).get("name") or self._at(obj)
            owner = other if Lapse.SWAPPED in self.lapses else self.name
            places = [place for place, each in self.stage.hosts.items() if each.cluster == owner and each.is_pod]
            if pod and owner == self.name:
                places = [f"{self.name}/{NAMESPACE}/{pod}"]
            for address in addresses_of(obj):
                translation.places[address] = tuple(places)
        for pod_object in self.items(PODS):
            place = f"{self.name}/{NAMESPACE}/{pod_object['metadata']['name']}"
            seen = self._rules(held).seen_as(pod_object)
            if seen:
                translation.sources[place] = min(seen, key=int)
            if Lapse.MASQUERADED in self.lapses:
                node = self.stage.hosts[place].node
                translation.sources[place] = self.stage.hosts[f"{self.name}@{node}"].addresses[0]

    def _at(self, obj: Object) -> str:
        """Return the pod that an endpoint is, though its object does not say so; "" if it says nothing of endpoints."""
        address = str((obj["metadata"].get("annotations") or {}).get(ENDPOINT_ADDRESS))
        for place, host in self.stage.hosts.items():
            if host.is_pod and host.cluster == self.name and address in map(str, host.addresses):
                return place.rpartition("/")[2]
        return ""

    def _rules(self, held: Allocations) -> Allocations:
        if Lapse.BLUNT in self.lapses:
            return Allocations(cluster_egress=held.cluster_egress)
        if Lapse.UNSELECTIVE in self.lapses:
            selecting = [{**obj, "spec": {}} for obj in held.egress if "podSelector" in obj["spec"]]
            return Allocations(held.ingress, selecting or held.egress, held.cluster_egress)
        return held

    def published(self, kind: str) -> Object:
        pods, services = ([str(cidr) for cidr in cidrs] for cidrs in (self.spec.pod_cidrs, self.spec.service_cidrs))
        ranges = [str(self.pool)] if self.spec.is_translated else []
        cluster = {"cluster_cidr": pods, "service_cidr": services, "global_cidr": ranges}
        spec = cluster if kind == "clusters" else {"subnets": ranges or [*services, *pods]}
        return {"metadata": {"name": self.name}, "spec": {"cluster_id": self.name, **spec}}


def _named(name: str, **more: Any) -> Object:  # noqa: ANN401 - JSON
    return {"metadata": {"name": name, "namespace": NAMESPACE, **more}, "spec": {}}


def _serves(obj: Object, service: str) -> bool:
    return bool((obj["spec"].get("serviceRef") or {}).get("name") == service)
