"""The objects by which a cluster's users ask for global addresses, in the suite's own namespace."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from l3conf.expectations.places import NAMESPACE, PORT
from l3conf.plugin.allocations import HEADLESS_POD, Allocations, lacking
from l3conf.plugin.cluster_api import GROUP, HTTP_CONFLICT, HTTP_NOT_FOUND
from l3conf.probes.manifests import LABELS
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from l3conf.expectations.harness import Harness
    from l3conf.plugin.cluster_api import ClusterAPI, Object

EXPORTS = f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{NAMESPACE}/serviceexports"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
INGRESS = f"{GROUP}/namespaces/{NAMESPACE}/globalingressips"
EGRESS = f"{GROUP}/namespaces/{NAMESPACE}/globalegressips"


@dataclass(frozen=True, slots=True)
class GlobalObjects:
    """One cluster's objects about global addresses. What is not taken or not served is a finding."""

    api: ClusterAPI
    harness: Harness

    def read(self) -> Allocations:
        """Return what there is now."""
        return Allocations(
            ingress=self.api.items(f"{GROUP}/globalingressips"),
            egress=self.api.items(f"{GROUP}/globalegressips"),
            cluster_egress=self.api.items(f"{GROUP}/clusterglobalegressips"),
        )

    def export(self, service: str) -> None:
        """Export a Service, unless it is exported already."""
        body = {
            "apiVersion": "multicluster.x-k8s.io/v1alpha1",
            "kind": "ServiceExport",
            "metadata": {"name": service, "namespace": NAMESPACE},
        }
        self._create(EXPORTS, body, or_keep=True)

    def service(self, name: str, within: str, *, started: float | None = None) -> Object:
        """Wait until an exported ClusterIP Service has its address; return the object that holds it."""

        def look() -> Object | Pending:
            found = self.read().of_service(NAMESPACE, name)
            if len(found) != 1:
                return Pending(f"{self.api.name} has {len(found)} GlobalIngressIPs for Service {name}")
            missing = lacking(found[0], 1)
            return Pending(missing) if missing else found[0]

        what = f"the exported Service {name} of {self.api.name} has a global address"
        return self.harness.wait(what, look, within, started=started)

    @contextmanager
    def headless(self) -> Iterator[dict[str, Object]]:
        """Export a headless Service over all probe pods while the context is open; yield what appears, by pod."""
        name, pods = self._new_name(), [pod["metadata"]["name"] for pod in self.api.items(PODS)]
        with self._exported(service_over_probes(name, headless=True)):
            yield self._each("pod", pods, lambda: self.read().of_headless(NAMESPACE, name))
            self._unexport(name)
            self._gone(f"addresses of {name} are released", lambda: [*self.read().of_headless(NAMESPACE, name)])

    @contextmanager
    def written_down(self, addresses: Sequence[str]) -> Iterator[dict[str, Object]]:
        """Export a headless Service over hosts of which nothing but addresses is written down; yield what appears.

        When the context ends, the endpoints go first: their addresses must go with them, export or not.
        """
        name = self._new_name()
        service = service_over_probes(name, headless=True)
        del service["spec"]["selector"]
        with self._exported(service):
            self._create(SLICES, slice_of_hosts(name, addresses))
            found = partial(self._endpoints, name)
            try:
                yield self._each("endpoint", addresses, found)
            finally:
                self.api.request("DELETE", f"{SLICES}/{name}")
            self._gone(f"addresses of the endpoints of {name} are released", lambda: [*found()])

    def _endpoints(self, service: str) -> dict[str, Object]:
        return self.read().of_endpoints(NAMESPACE, service)

    @contextmanager
    def _exported(self, service: Object) -> Iterator[None]:
        name = service["metadata"]["name"]
        self._create(SERVICES, service)
        try:
            self.export(name)
            yield
        finally:
            self._unexport(name)

    def _unexport(self, name: str) -> None:
        self.api.request("DELETE", f"{EXPORTS}/{name}")
        self.api.request("DELETE", f"{SERVICES}/{name}")

    def _each(self, what: str, names: Iterable[str], find: Callable[[], dict[str, Object]]) -> dict[str, Object]:
        """Wait until everybody behind a headless Service has a global address of its own."""

        def look() -> dict[str, Object] | Pending:
            found = find()
            missing = [f"none for {what} {name}" for name in names if name not in found]
            missing += [words for obj in found.values() if (words := lacking(obj, 1))]
            return Pending(f"{self.api.name}: {'; '.join(missing)}") if missing else found

        return self.harness.wait(f"each {what} behind a headless Service has a global address", look, "T_allocate")

    @contextmanager
    def pod(self, name: str) -> Iterator[Object]:
        """Have a pod ask for an address of its own while the context is open; yield the object once it holds one."""
        with self._asked(INGRESS, "GlobalIngressIP", {"target": HEADLESS_POD, "podRef": {"name": name}}) as path:
            yield self._satisfied(path, 1)

    @contextmanager
    def egress(self, count: int, selector: Mapping[str, Any] | None) -> Iterator[Object]:
        """Ask for egress addresses of the namespace, or of selected pods; yield the object once it holds all."""
        with self.demand(count, selector) as path:
            yield self._satisfied(path, count)

    @contextmanager
    def demand(self, count: int, selector: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Ask for egress addresses, whether there are any or not; yield the path of the object."""
        spec: dict[str, Any] = {"numberOfIPs": count}
        if selector is not None:
            spec["podSelector"] = dict(selector)
        with self._asked(EGRESS, "GlobalEgressIP", spec) as path:
            yield path

    def _satisfied(self, path: str, count: int) -> Object:
        def look() -> Object | Pending:
            obj: Object = self.api.get(path)
            missing = lacking(obj, count)
            return Pending(f"{self.api.name}: {missing}") if missing else obj

        kind = path.split("/")[-2]
        return self.harness.wait(f"one of the {kind} of {self.api.name} holds {count} addresses", look, "T_allocate")

    @contextmanager
    def _asked(self, collection: str, kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
        name = self._new_name()
        path = f"{collection}/{name}"
        metadata = {"name": name, "namespace": NAMESPACE}
        self._create(
            collection, {"apiVersion": "submariner.io/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}
        )
        self.harness.note(f"{self.api.name}: {kind} {name} {dict(spec)}")
        try:
            yield path
        finally:
            self.api.request("DELETE", path)
            self._gone(f"{kind} {name} of {self.api.name} is gone", lambda: [path] if self._exists(path) else [])
            self.harness.note(f"{self.api.name}: {kind} {name} is gone")

    def _gone(self, what: str, look: Any) -> None:  # noqa: ANN401 - returns what is left
        def condition() -> str | Pending:
            left = look()
            return Pending(f"{len(left)} left: {', '.join(map(str, left))}") if left else what

        self.harness.wait(what, condition, "T_allocate")

    def _exists(self, path: str) -> bool:
        return self.api.request("GET", path).status != HTTP_NOT_FOUND

    def _create(self, collection: str, body: Object, *, or_keep: bool = False) -> None:
        answer = self.api.request("POST", collection, body=body)
        if not answer.ok and not (or_keep and answer.status == HTTP_CONFLICT):
            what = f"{self.api.name} does not take a {body['kind']}"
            raise AssertionError(f"{what} ({answer.status}): {answer.message}")

    def _new_name(self) -> str:
        return f"l3conf-{self.harness.random.randbytes(4).hex()}"


def service_over_probes(name: str, *, headless: bool) -> Object:
    """Return a Service over all probe pods of a cluster."""
    ports = [{"name": word, "port": PORT, "protocol": word.upper()} for word in ("udp", "tcp")]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {**({"clusterIP": "None"} if headless else {}), "selector": dict(LABELS), "ports": ports},
    }


def slice_of_hosts(service: str, addresses: Iterable[str]) -> Object:
    """Return the EndpointSlice that somebody writes by hand for a Service without selector."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": "l3conf"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": word, "port": PORT, "protocol": word.upper()} for word in ("udp", "tcp")],
    }
