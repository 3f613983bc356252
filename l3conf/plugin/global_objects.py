"""The objects by which a cluster's users ask for global addresses, in the suite's own namespace."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.expectations.places import NAMESPACE, PORT
from l3conf.plugin.allocations import HEADLESS_POD, Allocations, lacking
from l3conf.plugin.cluster_api import GROUP, HTTP_CONFLICT, HTTP_NOT_FOUND
from l3conf.probes.manifests import LABELS
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.expectations.harness import Harness
    from l3conf.plugin.cluster_api import ClusterAPI, Object

EXPORTS = f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{NAMESPACE}/serviceexports"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
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
        self._create(SERVICES, service_over_probes(name, headless=True))
        try:
            self.export(name)

            def look() -> dict[str, Object] | Pending:
                found = self.read().of_headless(NAMESPACE, name)
                missing = [f"none for pod {pod}" for pod in pods if pod not in found]
                missing += [words for obj in found.values() if (words := lacking(obj, 1))]
                return Pending(f"{self.api.name}: {'; '.join(missing)}") if missing else found

            yield self.harness.wait(f"each pod behind {name} has a global address", look, "T_allocate")
        finally:
            self.api.request("DELETE", f"{EXPORTS}/{name}")
            self.api.request("DELETE", f"{SERVICES}/{name}")
            self._gone(f"addresses of {name} are released", lambda: [*self.read().of_headless(NAMESPACE, name)])

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
